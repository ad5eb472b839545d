"""How often a box is right at each score: calibrates, and draws the proof.

  python -m perf.confidence --data SEQUENCES --output confidence.png

Tracks real sequences as they are, and with a cut to another video for some
frames, where no box is right. A logistic curve of the score is fitted on every
other sequence, and shown on the rest: what it says against how often a box
overlaps the target by more than half. Prints the curve, for
siamkpn_jax/tracking/confidence.py, and the expected calibration errors.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from perf import absences
from perf.absences import Way
from perf.sequences import add_sequence_flags
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core.atomic_io import check_output, save_figure
from siamkpn_jax.evaluation.metrics.reliability import (
    Reliability,
    fit_logistic,
    reliability,
)
from siamkpn_jax.evaluation.report.curves import COLORS
from siamkpn_jax.tracking.confidence import Calibration
from siamkpn_jax.tracking.engines import PRECISIONS
from siamkpn_jax.tracking.load import load_tracker

OVERLAP = 0.5  # above it, a box is right


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  add_sequence_flags(parser)
  parser.add_argument('--output', required=True, help='Image to write.')
  parser.add_argument('--weights', help='Default: those in the package.')
  parser.add_argument(
      '--precision', choices=PRECISIONS, default=PRECISIONS[0])
  parser.add_argument(
      '--search_size', type=int, help='Default: that of the weights.')
  parser.add_argument(
      '--frames', type=whole(8), default=300,
      help='Of each sequence, at most.')


def run(args: argparse.Namespace) -> None:
  """Tracks, fits, prints and draws."""
  path = check_output(args.output, '--output', suffixes=('.png', '.svg'))
  size = {'search_size': args.search_size} if args.search_size else {}
  tracker = load_tracker(args.weights, precision=args.precision, **size)
  shots = absences.real(args.data, args.zero_based, args.frames)
  ways = [[absences.follow(tracker, shot) for shot in pair] for pair in zip(
      shots, absences.with_cuts(shots), strict=True)]
  fitted = [way for pair in ways[::2] for way in pair]
  shown = [way for pair in ways[1::2] for way in pair]
  slope, middle = fit_logistic(*outcomes(fitted))
  curve = Calibration(slope, middle)
  print(f'fitted on {_listed(fitted)}\nshown on {_listed(shown)}')
  print(f'Calibration(slope={slope:.2f}, middle={middle:.3f})')
  tables = {name: judged(half, curve)
            for name, half in (('fitted', fitted), ('shown', shown))}
  for name, table in tables.items():
    print(f'{name:7} {table.frames.sum():6} frames, expected calibration error '
          f'{table.error:.3f}')
  table = tables['shown']
  print('confidence  frames  right')
  for count, said, right in zip(*table, strict=True):
    if count:
      print(f'{said:10.2f} {count:7} {right:6.2f}')
  assert path
  save_figure(draw(table), path)
  print(f'wrote {path}')


def outcomes(ways: Sequence[Way]) -> tuple[np.ndarray, np.ndarray]:
  """[t] scores and [t] whether the box was right, of all together."""
  return (np.concatenate([way.scores for way in ways]),
          np.concatenate([way.overlaps > OVERLAP for way in ways]))


def judged(ways: Sequence[Way], curve: Calibration) -> Reliability:
  """How reliable a curve is on them."""
  scores, right = outcomes(ways)
  return reliability(np.array([curve(score) for score in scores]), right)


def draw(table: Reliability) -> Figure:
  """The reliability plot, with how many frames there are below it."""
  figure = Figure(figsize=(4.5, 5), layout='constrained')
  above, below = figure.subplots(
      2, 1, sharex=True, gridspec_kw={'height_ratios': (3, 1)})
  above.plot([0, 1], [0, 1], ':', color='gray', label='perfect')
  some = table.frames > 0
  above.plot(table.said[some], table.right[some], 'o-', color=COLORS[0],
             label=f'measured, error {table.error:.3f}')
  above.set(ylabel='share of boxes that are right', ylim=(0, 1),
            title='Reliability on sequences not fitted on')
  above.legend(loc='upper left')
  edges = np.linspace(0, 1, len(table.frames) + 1)
  below.bar(edges[:-1], table.frames, width=edges[1], align='edge',
            color=COLORS[0], edgecolor='white')
  below.set(xlabel='confidence', ylabel='frames', xlim=(0, 1), yscale='log')
  for axes in (above, below):
    axes.grid(alpha=0.3)
  return figure


def _listed(ways: Sequence[Way]) -> str:
  return ', '.join(sorted({way.shot.name for way in ways}))


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.confidence'))
