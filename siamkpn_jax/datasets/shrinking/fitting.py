"""Which frames a small copy keeps, so that it fits.

One number decides: how many frames a track may keep. With 3.5, half of the
tracks keep three and the other half four, if they have as many; with 0.5, half
of the tracks are left out.
"""

from collections.abc import Callable, Sequence

# Its multiples are spread evenly over 0..1 however many there are.
_GOLDEN = (5**0.5 - 1) / 2
_FINE = 1.03  # ratio of two limits that need not be told apart
_LEAST = 1 / 1024


def evenly(length: int, count: int) -> list[int]:
  """`count` of the numbers 0 .. length - 1, the middles of equal parts."""
  count = min(count, length)
  return [(2 * k + 1) * length // (2 * count) for k in range(count)]


def kept(lengths: Sequence[int], limit: float) -> list[list[int]]:
  """The frames of each track that are kept, at least one of the first.

  The limit is how many a track may keep, on average over long ones.
  """
  counts = [int(limit + (track * _GOLDEN) % 1)
            for track in range(len(lengths))]
  return [evenly(length, max(count, 1) if track == 0 else count)
          for track, (length, count) in enumerate(
              zip(lengths, counts, strict=True))]


def largest(fits: Callable[[float], bool], longest: int) -> float | None:
  """The largest limit that fits, to a few percent; None if none does.

  Args:
    fits: whether a limit does; asked for small ones first, since large ones
      may take long.
    longest: number of frames of the longest track; more change nothing.
  """
  low, high = 0.0, 1.0
  while high < longest and fits(high):
    low, high = high, 2 * high
  high = min(high, float(longest))
  if (low >= 1 or high == longest) and fits(high):
    return high
  while low == 0:  # less than a frame of each track
    high /= 2
    if high < _LEAST:
      return None
    if fits(high):
      low, high = high, 2 * high
  while high > low * _FINE:
    middle = (low + high) / 2
    low, high = (middle, high) if fits(middle) else (low, middle)
  return low
