"""How far a search is: frames tracked of those that are still to be."""

import sys

from tqdm import tqdm


class Progress:
  """A bar on stderr, with the best so far and the time left."""

  def __init__(self, *, show: bool = True):
    """An empty bar."""
    self._total = 0
    self._bar = tqdm(total=0, unit=' frames', unit_scale=True, file=sys.stderr,
                     dynamic_ncols=True, disable=not show)

  def expect(self, frames: int) -> None:
    """More frames are to be tracked; fewer where `frames` is negative."""
    self._total += frames
    self._bar.total = self._total
    self._bar.refresh()

  def done(self, frames: int) -> None:
    """So many were tracked."""
    self._bar.update(frames)

  def state(self, text: str) -> None:
    """What is going on."""
    self._bar.set_description_str(text)

  def close(self) -> None:
    """Ends the bar."""
    self._bar.close()
