"""Long-term tracking, on against off: the table of docs/tracking.md.

  python -m perf.long_term --data SEQUENCES

F, precision and recall (VOT long-term) on videos with absences: synthetic ones,
real ones with a cut to another video; and the success AUC of the real ones as
they are, which it should not lower. Each line is of half the sequences: those
that the rule was chosen on, and others. --strip writes a film strip of the
synthetic video that is tracked best of those in which the target was lost.
"""

import argparse
import sys
from collections.abc import Sequence

import cv2
import numpy as np

from perf import absences
from perf.absences import Way
from perf.sequences import add_sequence_flags
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.evaluation.metrics import long_term, ope
from siamkpn_jax.tracking.drawing import draw_result
from siamkpn_jax.tracking.follow import FrameResult
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.tracking.targets import TrackResult

_STRIP = (8, 160)  # frames, and their width


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  add_sequence_flags(parser)
  parser.add_argument('--weights', help='Default: those in the package.')
  parser.add_argument(
      '--frames', type=whole(8), help='Of each real sequence, at most.')
  parser.add_argument(
      '--synthetic', type=whole(1), default=8,
      help='Synthetic videos of each half.')
  parser.add_argument('--strip', help='Image to write, of a synthetic video.')


def run(args: argparse.Namespace) -> None:
  """Tracks, prints a table, and draws."""
  strip = check_output(args.strip, '--strip', suffixes=('.png', '.jpg'))
  trackers = {mode: load_tracker(args.weights, long_term=mode == 'on')
              for mode in ('off', 'on')}
  shots = absences.real(args.data, args.zero_based, args.frames)
  cuts, lost = absences.with_cuts(shots), []
  print('videos                    mode      F     Pr     Re    AUC   lost')
  for name, some in (
      ('synthetic, chosen on', absences.synthetic('val', args.synthetic)),
      ('synthetic, others', absences.synthetic('test', args.synthetic)),
      ('cuts, chosen on', cuts[::2]), ('cuts, others', cuts[1::2]),
      ('as they are, chosen on', shots[::2]),
      ('as they are, others', shots[1::2])):
    for mode, tracker in trackers.items():
      ways = [absences.follow(tracker, shot) for shot in some]
      print(_line(name, mode, ways), flush=True)
      if name.startswith('synthetic'):
        lost += [way for way in ways if not way.found.all()]
  if strip and lost:
    picture = film_strip(max(lost, key=lambda way: _success(way).success_auc))
    strip.write_bytes(cv2.imencode(strip.suffix, picture)[1].tobytes())
    print(f'wrote {strip}')


def _line(name: str, mode: str, ways: Sequence[Way]) -> str:
  f, precision, recall, _ = long_term.score([way.reported() for way in ways])
  auc = ope.mean_score({way.shot.name: _success(way) for way in ways})
  lost = np.mean(np.concatenate([~way.found for way in ways]))
  return (f'{name:25} {mode:4} {f:6.3f} {precision:6.3f} {recall:6.3f} '
          f'{auc.success_auc:6.3f} {lost:6.1%}')


def _success(way: Way) -> ope.Score:
  """Over the frames in which the target is in sight, the first one too."""
  boxes = way.shot.boxes_xywh
  return ope.score_sequence(
      np.concatenate([boxes[:1], way.boxes_xywh])[way.shot.present],
      boxes[way.shot.present])


def film_strip(way: Way) -> np.ndarray:
  """From the first absence to where it is found, with box and confidence."""
  shot = way.shot
  away = np.flatnonzero(~shot.present)
  end = int(away[np.flatnonzero(np.diff(away, append=len(shot.present)) > 1)[0]]
            ) if len(away) else len(shot.present) - 1
  first = int(away[0]) if len(away) else 1
  back = 1 + np.flatnonzero(way.found[end:]) + end
  stop = min(int(back[0]) + 8 if len(back) else end + 20, len(shot.present) - 1)
  count, width = _STRIP
  chosen = np.unique(np.linspace(
      max(first - 10, 1), stop, count).astype(int)).tolist()
  pictures = []
  for number, frame in enumerate(shot.frames()):
    if number not in chosen:
      continue
    target = TrackResult(
        bool(way.found[number - 1]), way.boxes_xywh[number - 1],
        way.confidence[number - 1])
    drawn = draw_result(FrameResult(number + 1, 0.0, frame, {1: target}))
    height = round(2 * width * frame.shape[0] / frame.shape[1])
    pictures.append(cv2.resize(drawn, (2 * width, height)))
  half = (len(pictures) + 1) // 2
  pictures += [np.zeros_like(pictures[0])] * (2 * half - len(pictures))
  return np.vstack([np.hstack(pictures[:half]), np.hstack(pictures[half:])])


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.long_term'))
