"""What can be taken home: the boxes as CSV, the video with them drawn in."""

import csv
import io

import cv2
import numpy as np

from siamkpn_jax.core.atomic_io import atomic_paths
from siamkpn_jax.core.html import COLORS
from siamkpn_jax.page.clip import Clip
from siamkpn_jax.page.turns import Job
from siamkpn_jax.tracking.video import VideoWriter

HEAD = ('frame', 'time', 'id', 'x', 'y', 'w', 'h', 'score', 'state')
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def boxes_csv(clip: Clip) -> str:
  """A line per frame and target; frames from 1, times in seconds."""
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(HEAD)
  for frame, target, *box, score, state, _, _, _ in clip.kept_rows():
    writer.writerow([frame, f'{(frame - 1) / clip.fps:.3f}', target, *box,
                     score, state])
  return text.getvalue()


def draw_film(clip: Clip, job: Job) -> None:
  """Writes the video with boxes, numbers and scores, as `clip.film`.

  Raises:
    UserError: it cannot be written, or read again.
  """
  with clip.lock:
    version = clip.version
  rows: dict[int, list[list]] = {}
  for row in clip.kept_rows():
    rows.setdefault(row[0], []).append(row)
  path = clip.folder / 'film.mp4'
  job.total = clip.numbers[-1]
  last = 0
  with atomic_paths([path]) as partial, clip.frames() as source, VideoWriter(
      partial[path], source.size, clip.fps) as writer:
    for frame in source:
      if job.stop.is_set() or source.number > job.total:
        break
      shown = frame.copy()
      for row in rows.get(source.number, ()):
        _draw(shown, row)
      for _ in range(source.number - last):  # those that cannot be decoded
        writer.write(shown)
      last = job.done = source.number
  if not job.stop.is_set():
    clip.film = path, version


def _draw(frame: np.ndarray, row: list) -> None:
  _, target, x, y, w, h, score, state, *_ = row
  lost = state != 'tracked'
  color = _bgr(COLORS[(target - 1) % len(COLORS)])
  height, width = frame.shape[:2]
  thick = max(1, round(min(width, height) / (400 if lost else 200)))
  corners = np.clip(np.rint([x, y, x + w, y + h]), -2**14, 2**14)
  left, top, right, bottom = corners.astype(int).tolist()
  cv2.rectangle(frame, (left, top), (right, bottom), color, thick, cv2.LINE_AA)
  scale = max(0.45, height / 900)
  text = f'{target} {score:.2f}' + (f' {state}' if lost else '')
  (wide, high), base = cv2.getTextSize(text, _FONT, scale, 1)
  left = min(max(left, 0), max(width - wide - 6, 0))
  above = top - high - base - 4
  top = above if above >= 0 else max(top, 0)
  cv2.rectangle(frame, (left, top), (left + wide + 6, top + high + base + 4),
                color, -1)
  cv2.putText(frame, text, (left + 3, top + high + 2), _FONT, scale,
              (255, 255, 255), 1, cv2.LINE_AA)


def _bgr(color: str) -> tuple[int, ...]:
  """'#rrggbb' -> blue, green, red."""
  return tuple(bytes.fromhex(color[1:]))[::-1]
