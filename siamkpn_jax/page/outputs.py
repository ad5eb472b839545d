"""What can be taken home: the boxes as CSV, the video with them drawn in.

Both as `siamkpn track` writes them, in the colors of the page.
"""

from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.atomic_io import atomic_paths
from siamkpn_jax.core.html import COLORS
from siamkpn_jax.page.clip import Clip
from siamkpn_jax.page.turns import Job
from siamkpn_jax.tracking.boxes_files import CSV_HEADER, csv_line
from siamkpn_jax.tracking.drawing import Color, draw_result
from siamkpn_jax.tracking.follow import FrameResult
from siamkpn_jax.tracking.targets import TRACKED, TrackResult
from siamkpn_jax.tracking.video_writer import VideoWriter


def boxes_csv(clip: Clip) -> str:
  """A line per frame and target; frames from 1, times in seconds."""
  lines = [csv_line(row[0], clip.times[row[0]], row[1], _target(row))
           for row in clip.findings.in_order()]
  return '\n'.join([CSV_HEADER, *lines, ''])


class _StoppedError(Exception):
  """Somebody does not want the film: one drawn before is kept."""


def draw_film(clip: Clip, job: Job) -> None:
  """Writes the video with boxes, numbers and scores, as `clip.film`.

  Raises:
    UserError: it cannot be written, or read again.
  """
  with clip.lock:
    version = clip.version
  path = clip.folder / 'film.mp4'
  try:
    with atomic_paths([path]) as partial:
      _draw(clip, job, partial[path])
  except _StoppedError:
    return
  clip.film = path, version


def _draw(clip: Clip, job: Job, path: Path) -> None:
  found: dict[int, dict[int, TrackResult]] = {}
  for row in clip.findings.in_order():
    found.setdefault(row[0], {})[row[1]] = _target(row)
  colors = [_bgr(color) for color in COLORS]
  job.total = clip.numbers[-1]
  before, last = None, 0  # of the frames drawn: what it shows, and its number
  with clip.frames() as source, VideoWriter(
      path, source.size, clip.fps) as writer:
    for frame in source:
      number = source.number
      if job.stop.is_set():
        raise _StoppedError
      if number > job.total:
        break
      shown = draw_result(FrameResult(
          number, source.time, frame, found.get(number, {})), colors)
      for one in range(last + 1, number):  # those that cannot be decoded
        writer.write(shown if before is None else before, source.time_of(one))
      writer.write(shown, source.time)
      before, last = shown, number
      job.done = number


def _target(row: list[Any]) -> TrackResult:
  return TrackResult(row[7] == TRACKED, np.array(row[2:6], np.float64), row[6],
                     row[11])


def _bgr(color: str) -> Color:
  """'#rrggbb' -> blue, green, red."""
  red, green, blue = bytes.fromhex(color[1:])
  return blue, green, red
