"""Which frames of a video file are missing among those that OpenCV delivers.

The number of a frame is its place among the time stamps of all packets in the
file. Reading those takes another pass over the file, without decoding, which is
made when the first irregularity shows: a read that fails, or a time step that
is not the usual one. An mp4 file has them in tables. The rate may vary.
"""

import functools
import os
from typing import NamedTuple

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.avi_repair import is_avi
from siamkpn_jax.tracking.container import is_program_stream
from siamkpn_jax.tracking.mp4_times import shown_times
from siamkpn_jax.tracking.opened_video import opened

# Reads that may fail in a row beyond the frames that are known to be left.
_PATIENCE = 1000
_LONG_STEP = 1.5  # of the usual time between two frames
_SAME = 1e-3  # milliseconds
_SMALLEST = 8  # bytes of a packet, as good as always


class Packets(NamedTuple):
  """What a file holds.

  Attributes:
    times: of the packets, milliseconds, ascending. One that cannot be read in
      the middle of the file has the time of one before it.
    failed: how many could not be read.
  """

  times: np.ndarray
  failed: int

  @property
  def timed(self) -> bool:
    """Whether the file has time stamps; raw H.264 has none."""
    return len(self.times) > 0 and self.times[0] < self.times[-1]

  def constant(self, fps: float, share: float) -> bool:
    """Whether the times are those of a constant rate, maybe with holes.

    Args:
      fps: the rate.
      share: of the steps that are no holes, at least.
    """
    if not self.timed or fps <= 0:
      return False
    places = self.times * fps / 1000
    on_grid = np.abs(places - np.rint(places)) < 0.3  # mkv has milliseconds
    return (float(on_grid.mean()) > 0.95 and
            float((np.diff(places) < _LONG_STEP).mean()) > share)


class FrameNumbers:
  """Numbers the frames of a file, in the order of their delivery."""

  def __init__(self, name: str, fps: float, announced: int | None) -> None:
    """Reads nothing yet.

    Args:
      name: of the file.
      fps: its rate; 0 if unknown.
      announced: number of frames, None if unknown.
    """
    self._name, self._fps, self._announced = name, fps, announced or 0
    self._long = _LONG_STEP * 1000 / fps if fps > 0 else 0.0
    self._next = 0  # number of the next frame if none is lost, from 0
    self._time = 0.0  # of the last frame, milliseconds
    self._failed = False  # any read so far
    self._delay = 0  # see `_place`
    self._program = is_program_stream(name)
    self._holes = False  # any so far
    self._latest = 0.0, 0  # time and number

  @functools.cached_property
  def _packets(self) -> Packets:
    return read_packets(self._name)

  def ended(self, failures: int) -> bool:
    """Whether no frame follows.

    Args:
      failures: reads that failed since the last frame.
    """
    if not failures:
      return False
    if self._next == self._announced:  # as nearly always
      return True
    left = max(self._announced, len(self._packets.times)) - self._next
    return failures > min(max(left, 0), self._most()) + _PATIENCE

  def lost_before(self, time: float, failures: int) -> int | None:
    """Counts a frame, and says how many before it were not decoded.

    Args:
      time: of the frame, milliseconds.
      failures: reads that failed since the last frame.

    Returns:
      The number; None for a frame that comes again, which does not count.
    """
    number, step = self._next, time - self._time
    self._failed |= failures > 0
    if failures or not (0 < step <= self._long if number else time == 0):
      number = min(self._place(time, failures), self._most())
    if number < self._next:
      return None
    self._time = time
    lost, self._next = number - self._next, number + 1
    self._holes |= lost > 0
    if time >= self._latest[0]:
      self._latest = time, number
    return lost

  def lost_at_the_end(self) -> int:
    """How many frames follow the last one that could be decoded.

    Raises:
      UserError: frames are missing, and nothing says which.
    """
    if self._program and self._holes and (
        self._number_at(self._latest[0]) < self._latest[1]):
      raise self._unclear()  # what was damaged came more than once
    if self._next == self._announced:
      return 0
    total = len(self._packets.times)
    if self._by_time():
      total = max(total, self._number_at(float(self._packets.times[-1])))
    lost = max(total - self._next, 0)
    if (lost or self._failed) and total > 1 and not self._packets.timed:
      raise self._unclear()
    return lost

  def _unclear(self) -> UserError:
    return UserError(
        f'{self._name}: damaged, and without time stamps that say which '
        'frames are missing; expected an intact file: repair or convert it')

  def time_of(self, number: int) -> float:
    """Seconds of a frame that may not have been decoded, from 1."""
    if self._packets.timed and not self._by_time() and (
        number <= len(self._packets.times)):
      return float(self._packets.times[number - 1]) / 1000
    return (number - 1) / self._fps if self._fps > 0 else 0.0

  def _place(self, time: float, failures: int) -> int:
    """The number of a frame by its time."""
    if not self._packets.timed:
      return self._next + failures
    if self._by_time():
      place = self._number_at(time)
    elif self._program:
      return self._next
    else:  # the first of those at this time that is left
      first, last = np.searchsorted(
          self._packets.times, [time - _SAME, time + _SAME])
      place = int(max(first, min(self._next, last - 1)))
    if self._program:
      # Its packets share time stamps, which is why those of some frames are
      # earlier ones, or none: such a frame follows the last one.
      known = self._next <= place < 2 * len(self._packets.times)
      return place if known else self._next
    if not is_avi(self._name):
      return place
    # FFmpeg counts the packets of AVI, and gives a frame the number of the
    # packet after which the decoder lets go of it: later ones, always by as
    # many, but for the last frames, which all get the last number.
    if self._next == 0 and not failures:
      self._delay = place
    return max(place - self._delay, self._next)

  def _number_at(self, time: float) -> int:
    return round(time * self._fps / 1000)

  def _by_time(self) -> bool:
    """Whether packets are missing, and the rate says where.

    Of a file of varying rate, and of one in which long steps are meant, only
    the order counts.
    """
    if self._failed or self._packets.failed or self._program:
      return self._packets.constant(self._fps, share=0.5)
    return (len(self._packets.times) < self._announced and
            self._packets.constant(self._fps, share=0.7))

  def _most(self) -> int:
    """Frames that the file may have at most, whatever it announces."""
    return os.path.getsize(self._name) // _SMALLEST


def read_packets(name: str) -> Packets:
  """Reads the times of all packets, without decoding them."""
  shown = shown_times(name)
  if shown is not None:
    return Packets(shown, 0)
  times: list[float] = []
  latest = 0.0  # of them
  failed = failures = 0
  with opened(name, [cv2.CAP_PROP_FORMAT, -1]) as packets:
    while packets.isOpened() and failures <= _PATIENCE:
      if not packets.grab():  # damage, or the end
        failures += 1
        continue
      times += [latest] * failures
      times.append(packets.get(cv2.CAP_PROP_POS_MSEC))
      latest = max(latest, times[-1])
      failed, failures = failed + failures, 0
  # What an edit list cuts away at the head is before time 0.
  return Packets(np.sort([time for time in times if time > -_SAME]), failed)
