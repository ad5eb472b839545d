"""Exports as `examples/deploy.py` runs them: size, speed, scores.

  siamkpn export --weights kpn3s_nano --format onnx --precision int8 \
    --output nano_int8
  python -m perf.deployed --data DIR --exports nano,nano_int8

Each tracks every sequence, in turns of one sequence; times are medians over all
frames, without decoding: of `update.onnx`, and of the whole frame, whose crop
is cut in NumPy. Scores are means over the sequences (protocol otb).
"""

import argparse
import runpy
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from perf.sequences import add_sequence_flags, otb_score
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, names
from siamkpn_jax.core.images import read_image
from siamkpn_jax.evaluation.formats.sequences import Video, load_otb

_PROGRAM = Path(__file__).parents[1] / 'examples' / 'deploy.py'


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  add_sequence_flags(parser)
  parser.add_argument(
      '--exports', type=names, required=True,
      help='Folders that siamkpn export wrote.')
  parser.add_argument(
      '--sequences', type=names, default=(), help='These alone, or patterns.')


def run(args: argparse.Namespace) -> None:
  """Measures and prints."""
  make = runpy.run_path(str(_PROGRAM))['Tracker']
  trackers = {folder: make(folder) for folder in args.exports}
  updates = {folder: _timed(tracker) for folder, tracker in trackers.items()}
  rows: dict[str, list[Any]] = {folder: [] for folder in trackers}
  frames: dict[str, list[float]] = {folder: [] for folder in trackers}
  for video in load_otb(args.data, names=args.sequences,
                        zero_based=args.zero_based):
    for folder, tracker in trackers.items():
      rows[folder].append(_track(tracker, video, frames[folder]))
  print('| export | update.onnx | update | frame | success AUC '
        '| precision at 20 px |\n|---|---|---|---|---|---|')
  for folder, scores in rows.items():
    size = Path(folder, 'update.onnx').stat().st_size
    auc, precision = np.mean(scores, axis=0)
    print(f'| {folder} | {size / 1e6:.2f} MB '
          f'| {1e3 * np.median(updates[folder]):.1f} ms '
          f'| {1e3 * np.median(frames[folder]):.1f} ms | {auc:.3f} '
          f'| {precision:.3f} |')


def _track(tracker: Any, video: Video, seconds: list[float]
           ) -> tuple[float, float]:
  """The scores of a sequence; adds the time of every frame."""
  first, *others = video.frames
  tracker.init(read_image(first), video.boxes_xywh[0])
  found = [video.boxes_xywh[0]]
  for path in others:
    frame = read_image(path)
    start = time.perf_counter()
    found.append(tracker.update(frame)[0])
    seconds.append(time.perf_counter() - start)
  result = otb_score(np.array(found), video.boxes_xywh, video.origin)
  return result.success_auc, result.precision_20


def _timed(tracker: Any) -> list[float]:
  """Lets a tracker note how long each run of its update takes."""
  seconds: list[float] = []
  session = tracker._update

  class Timed:
    def run(self, *arguments: Any) -> Any:
      start = time.perf_counter()
      try:
        return session.run(*arguments)
      finally:
        seconds.append(time.perf_counter() - start)

  tracker._update = Timed()
  return seconds


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.deployed'))
