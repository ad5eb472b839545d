"""A video that a browser looks at, and what is known of it."""

import bisect
import dataclasses
import re
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from siamkpn_jax.core.atomic_io import file_errors
from siamkpn_jax.core.boxes import check_box
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.page.findings import Findings
from siamkpn_jax.page.limits import SIDE_SHOWN, Limits, RefusedError
from siamkpn_jax.page.turns import Job
from siamkpn_jax.tracking.video import FrameSource, open_frames

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 85]
# How files of videos begin.
_BEGINNING = re.compile(
    rb'.{4}(?:ftyp|styp|moov|moof|mdat|wide|free|skip|uuid|pnot)|'
    rb'\x1a\x45\xdf\xa3|RIFF.{4}A[VM][IV]|OggS\x00|FLV\x01|\x30\x26\xb2\x75|'
    rb'\x00\x00\x01[\xb3\xba]|GIF8[79]a|(?:.{4})?(?:(?:G.{187}){3}|'
    rb'(?:G.{191}){3}|(?:G.{203}){3})', re.DOTALL)
# FFmpeg would also follow playlists, manifests and session descriptions, which
# name files and hosts. It looks for them in all that it probes, up to a zero.
_NAMES_OTHERS = re.compile(rb'#EXTM3U|ffconcat|c=IN IP|<MPD', re.IGNORECASE)
_PROBED = 5 * 2**20  # bytes


@dataclasses.dataclass
class Target:
  """One to be tracked, or tracked.

  Attributes:
    number: from 1, never used twice.
    frame: in which it starts.
    box_xywh: [4] there.
    state: 'waiting', 'tracking' or 'ended'.
    error: why it cannot be tracked; '' if it can.
  """

  number: int
  frame: int
  box_xywh: np.ndarray
  state: str = 'waiting'
  error: str = ''


class Clip:
  """A video in a folder of its own, with its frames as JPEG files.

  One thread writes to it, any may read.

  Attributes:
    folder: with everything that belongs to it.
    size: (width, height) of a frame.
    fps: frames per second.
    announced: number of frames, None if the file does not say.
    numbers: of the frames that can be shown, ascending.
    times: of these, in seconds.
    notes: what is unusual about it.
    targets: by number.
    findings: what was found of them.
    stages: whether the heatmaps of every stage are wanted.
    jobs: those that have not ended, the oldest first, and the last one.
    film: what `outputs` has drawn, and of which version.
    version: grows when a target comes or goes.
    used: when it was last looked at, `time.monotonic`.
  """

  def __init__(self, path: Path, folder: Path, limits: Limits):
    """Looks at the first frame.

    Raises:
      UserError: it is no video.
      RefusedError: it is larger than allowed.
    """
    self.path, self.folder, self._limits = path, folder, limits
    check_beginning(path)
    with self.frames() as source:
      _check_extent(source, limits)
      self.size, self.fps = source.size, source.fps
      self.announced, self.notes = source.count, list(source.notes)
      self.numbers: list[int] = []
      self.times: dict[int, float] = {}
      self._keep(source, next(iter(source)))
    self.targets: dict[int, Target] = {}
    self.findings = Findings(folder)
    self.stages = False
    self.jobs: list[Job] = []
    self.film: tuple[Path, int] | None = None
    self.version, self._last = 0, 0
    self.lock = threading.Lock()
    self.used = time.monotonic()

  def frames(self) -> FrameSource:
    """All frames, anew."""
    return open_frames(self.path)

  def prepare(self, job: Job) -> None:
    """Makes every frame ready to be shown."""
    job.total = self.announced or 0
    with self.frames() as source:
      for frame in source:
        if job.stop.is_set():
          return
        if source.number > self.longest:
          self.notes.append(
              f'longer than the {self.longest} frames that are taken: only '
              'these are here')
          break
        if source.number > self.numbers[-1]:
          self._keep(source, frame)
        job.done = source.number
      else:
        if source.number > self.numbers[-1]:
          self.notes.append(
              f'damaged: its last {source.number - self.numbers[-1]} of '
              f'{source.number} frames cannot be decoded and are not here')
    lost = self.numbers[-1] - len(self.numbers)
    if lost:
      self.notes.append(f'damaged: {lost} of {self.numbers[-1]} frames cannot '
                        'be decoded; the frame before is shown')

  @property
  def longest(self) -> int:
    """Frames at most."""
    return _most_frames(self._limits, self.fps)

  def frame_file(self, number: int) -> Path | None:
    """The JPEG of a frame, or of the last one before that can be decoded."""
    numbers = self.numbers
    if not numbers or not 1 <= number <= numbers[-1]:
      return None
    place = bisect.bisect_right(numbers, number) - 1
    return self._file(numbers[max(place, 0)])

  def time(self, number: int) -> float:
    """Seconds of a frame, or of the one that stands in for it."""
    numbers = self.numbers
    place = bisect.bisect_right(numbers, number) - 1
    return self.times[numbers[max(place, 0)]]

  def add(self, frame: int, box: Any) -> Target:
    """Notes a target that is to be tracked.

    Raises:
      UserError: a box that is none in this video.
      RefusedError: there are as many as allowed.
    """
    box_xywh = check_box(box, *self.size)
    if not 1 <= frame <= self.numbers[-1]:
      raise UserError(f'frame {frame}: expected one of 1 to '
                      f'{self.numbers[-1]}')
    with self.lock:
      if len(self.targets) >= self._limits.targets:
        raise RefusedError(
            409, f'{self._limits.targets} targets are the most that are '
            'tracked at once here; remove one')
      self._last += 1
      target = Target(self._last, frame, box_xywh)
      self.targets[target.number] = target
      self.findings.begin(target.number)
      self.version += 1
    return target

  def remove(self, number: int) -> bool:
    """Forgets a target and where it was; whether there was one."""
    with self.lock:
      if self.targets.pop(number, None) is None:
        return False
      self.version += 1
      self.findings.remove(number)
    return True

  def alive(self) -> list[Job]:
    """The jobs that have not ended, the oldest first."""
    return [job for job in self.jobs if job.state != 'ended']

  def waiting(self) -> list[Target]:
    """Targets that nothing was found of yet."""
    with self.lock:
      return [target for target in self.targets.values()
              if target.state == 'waiting']

  def _keep(self, source: FrameSource, frame: np.ndarray) -> None:
    number = source.number
    shrink = min(1., SIDE_SHOWN / max(frame.shape[:2]))
    if shrink < 1:
      frame = cv2.resize(frame, None, fx=shrink, fy=shrink,
                         interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode('.jpg', frame, _QUALITY)
    path = self._file(number)
    with file_errors(path):
      path.write_bytes(data.tobytes())
    self.times[number] = source.time
    self.numbers.append(number)

  def _file(self, number: int) -> Path:
    return self.folder / f'{number}.jpg'


def check_beginning(path: Path) -> None:
  """Raises UserError for a file that does not begin as a video."""
  with path.open('rb') as file:
    data = file.read(_PROBED)
  if not _BEGINNING.match(data) or _NAMES_OTHERS.search(
      data.partition(b'\0')[0]):
    what = 'it is empty' if not data else (
        'it is a single image' if _is_image(data) else
        'it begins like none')
    raise UserError(f'this file is no video: {what}; expected an mp4, mov, '
                    'mkv, webm or avi file: choose another')


def _is_image(data: bytes) -> bool:
  return data.startswith((b'\xff\xd8', b'\x89PNG', b'BM'))


def _most_frames(limits: Limits, fps: float) -> int:
  # One more: that which is due at the last second's end.
  return min(limits.frames, int(limits.seconds * fps) + 1)


def _check_extent(source: FrameSource, limits: Limits) -> None:
  width, height = source.size
  if width * height > limits.pixels:
    raise RefusedError(413, f'this video has {width}x{height} pixels; at most '
                  f'{limits.pixels / 1e6:.1f} million are taken: make it '
                  'smaller')
  count = source.count or 0
  if count > _most_frames(limits, source.fps):
    raise RefusedError(
        413, f'this video has {count} frames ({count / source.fps:.0f} s); at '
        f'most {limits.frames} frames and {limits.seconds:g} s are taken: cut '
        'it, or start `siamkpn demo` with a larger --seconds or --frames')
