"""Files of boxes, written frame by frame: CSV, JSON, MOT and OTB text.

Left and top are counted from 0 in all of them, as everywhere in this package.
"""

import contextlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from siamkpn_jax.core.atomic_io import file_errors
from siamkpn_jax.tracking.box_formats import LABELS
from siamkpn_jax.tracking.follow import FrameResult
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.label_files import labels
from siamkpn_jax.tracking.targets import TrackResult

CSV_HEADER = 'frame,time,id,x,y,w,h,score,state,confidence'
_NAN = ','.join(4 * ['nan'])

# What is added to the file for a frame.
Write = Callable[[FrameResult], None]


class _File:
  """A text file; an error while it is written names what it will be."""

  def __init__(self, path: Path, shown: Path):
    self._shown = shown
    with file_errors(shown):
      self._file = path.open('w', encoding='utf-8')

  def write(self, text: str) -> None:
    with file_errors(self._shown):
      self._file.write(text)

  def __enter__(self) -> '_File':
    return self

  def __exit__(self, kind: type[BaseException] | None,
               error: BaseException | None,
               trace: TracebackType | None) -> None:
    with file_errors(self._shown) if kind is None else (
        contextlib.suppress(OSError)):  # what it lacks is no news
      self._file.close()


@contextlib.contextmanager
def boxes_writer(path: Path, kind: str, video: str = '',
                 files: Sequence[str] = (), *, shown: Path | None = None
                 ) -> Iterator[Write]:
  """Writes a file as long as the block lasts.

  Args:
    path: of the file.
    kind: one of `box_formats.SUFFIXES`.
    video: its name, for labels.
    files: names of its images, for labels; empty: it has none.
    shown: the file's name in messages; None: `path`.

  Raises:
    UserError: the file cannot be written.
  """
  with _File(path, shown or path) as file:
    if kind == 'json':
      yield from _json(file)
    elif kind in LABELS:
      yield from _labels(file, kind, video, files)
    else:
      of_kind: dict[str, Callable[[FrameResult], Iterator[str]]] = {
          'csv': _csv, 'mot': _mot, 'otb': _Otb()}
      lines = of_kind[kind]
      if kind == 'csv':
        file.write(CSV_HEADER + '\n')
      yield lambda result: file.write(''.join(
          line + '\n' for line in lines(result)))


def csv_line(frame: int, time: float, number: int, target: TrackResult) -> str:
  """What a CSV file says of a target in a frame, as `CSV_HEADER` names it.

  An unknown confidence is nan.
  """
  sure = math.nan if target.confidence is None else target.confidence
  return (f'{frame},{time:.6f},{number},{_four(target.box_xywh)},'
          f'{target.score:.4f},{target.state},{sure:.4f}')


def _csv(result: FrameResult) -> Iterator[str]:
  for number, target in result.targets.items():
    yield csv_line(result.number, result.time, number, target)


def _mot(result: FrameResult) -> Iterator[str]:
  """A frame that cannot be decoded has no lines, as MOT knows no nan."""
  for number, target in result.targets.items():
    if result.decoded:
      yield (f'{result.number},{number},{_four(target.box_xywh)},'
             f'{target.score:.4f},-1,-1,-1')


class _Otb:
  """A line for each frame of the video, also before the first that is read."""

  def __init__(self) -> None:
    self._written = 0

  def __call__(self, result: FrameResult) -> Iterator[str]:
    yield from itertools.repeat(_NAN, result.number - self._written - 1)
    yield next((_four(one.box_xywh) for one in result.targets.values()), _NAN)
    self._written = result.number


def _json(file: _File) -> Iterator[Write]:
  file.write('{"boxes": [')
  separator = '\n'

  def write(result: FrameResult) -> None:
    nonlocal separator
    for number, target in result.targets.items():
      row: dict[str, object] = {
          'frame': result.number, 'time': _plain(result.time, 6), 'id': number}
      row |= {key: _plain(value, 4)
              for key, value in zip('xywh', target.box_xywh, strict=True)}
      row |= {'score': _plain(target.score, 4), 'state': target.state,
              'confidence': _plain(math.nan if target.confidence is None else
                                   target.confidence, 4)}
      file.write(separator + json.dumps(row))
      separator = ',\n'

  yield write
  file.write('\n]}\n')


def _labels(file: _File, kind: str, video: str, files: Sequence[str]
            ) -> Iterator[Write]:
  """Those of targets that are not lost; known as a whole at the end alone."""
  boxes: list[GivenBox] = []
  length, size = 0, (0, 0)

  def write(result: FrameResult) -> None:
    nonlocal length, size
    length, size = result.number, result.frame.shape[1::-1]
    for number, target in result.targets.items():
      if target.found:
        left, top, width, height = target.box_xywh.tolist()
        boxes.append(GivenBox(length, number, (left, top, width, height)))

  yield write
  if length:  # without a box as well: an empty file is none of labels
    file.write(labels(kind, boxes, name=video, size=size, length=length,
                      files=files))


def _four(box_xywh: np.ndarray) -> str:
  return ','.join(f'{value:.4f}' for value in box_xywh)


def _plain(value: float, digits: int) -> float | None:
  """JSON has no nan."""
  return round(float(value), digits) if math.isfinite(value) else None
