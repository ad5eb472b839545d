r"""Speed beside accuracy: the networks of a study of `siamkpn_jax.ablate`.

  python -m siamkpn_jax.ablate --config configs/kpn3s_nano.py \
    --change model.num_stages=1 --change model.channels=48 --output runs/study
  python -m perf.designs --study runs/study --data DIR --output runs/designs

Writes designs.md, designs.png and designs.json to --output. Success AUC is the
study's, mean over the seeds that are there. For the speed, the network of each
variant's lowest seed tracks in ONNX Runtime, with crops and boxes as the
package computes them; the variants take turns as in perf/peers.py. --models
adds cv2.TrackerNano, to which the ratios are then; else to the baseline.
"""

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import jax
import numpy as np
from matplotlib.figure import Figure

from perf import circumstances, contest, turns
from perf.opencv_trackers import find_trackers
from perf.sequences import add_sequence_flags
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, names, whole
from siamkpn_jax.core.atomic_io import check_output, save_figure, write_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats.results import write_summary
from siamkpn_jax.evaluation.formats.sequences import load_otb
from siamkpn_jax.experiments.ablation import (
  BASELINE,
  RESULT,
  mean_and_deviation,
  read_result,
)
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.load import decode_config
from siamkpn_jax.tracking.one_target import SingleTracker

_PEER = 'TrackerNano'


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  add_sequence_flags(parser)
  parser.add_argument(
      '--study', required=True, help='--output of siamkpn_jax.ablate.')
  parser.add_argument(
      '--output', required=True, help='Folder for designs.md, .png and .json.')
  parser.add_argument(
      '--models', help="Folder of TrackerNano's files.")
  parser.add_argument(
      '--sequences', type=names, default=(),
      help='These alone, or patterns, for the speed.')
  turns.add_flags(parser, rounds=24)
  parser.add_argument(
      '--frames', type=whole(1), default=30, help='In a turn.')


@dataclasses.dataclass(frozen=True)
class Design:
  """A variant of the study.

  Attributes:
    folder: of the training with its lowest seed.
    success_auc: of each seed.
    precision_20: of each seed.
  """

  folder: Path
  success_auc: tuple[float, ...]
  precision_20: tuple[float, ...]


def read_study(study: Path) -> dict[str, Design]:
  """The variants of which a training is finished, the baseline first.

  Raises:
    UserError: there is none, or a result cannot be read, or was scored on other
      videos.
  """
  paths = {(path.parts[-3], int(seed)): path
           for path in study.glob(f'*/seed*/{RESULT}')
           if (seed := path.parent.name.removeprefix('seed')).isdecimal()}
  if BASELINE not in {name for name, _ in paths}:
    raise UserError(f'--study {study}: no finished training of {BASELINE}; '
                    'expected the --output of siamkpn_jax.ablate')
  found: dict[str, list[tuple[Path, dict[str, float]]]] = {}
  videos = None
  for (name, _), path in sorted(
      paths.items(), key=lambda item: (item[0][0] != BASELINE, item[0])):
    stored, result = read_result(path)
    videos = videos or stored['videos']
    if stored['videos'] != videos:
      raise UserError(f'{path}: scored on other videos than {BASELINE}; give '
                      'siamkpn_jax.ablate all variants again')
    found.setdefault(name, []).append((path.parent, result))
  return {name: Design(trainings[0][0], *(
      tuple(result[metric] for _, result in trainings)
      for metric in ('success_auc', 'precision_20')))
          for name, trainings in found.items()}


def run(args: argparse.Namespace) -> None:
  """Measures, prints and writes."""
  threads = turns.use_threads(args.threads)
  cv2.setNumThreads(threads)
  output = Path(args.output)
  for name in ('designs.md', 'designs.png', 'designs.json'):
    check_output(output / name, '--output')
  designs = read_study(Path(args.study))
  sequences = load_otb(args.data, names=args.sequences,
                       zero_based=args.zero_based)
  found = find_trackers(Path(args.models), [_PEER]) if args.models else None
  if found and found.missing:
    raise UserError(f'--models {args.models}: {found.missing[_PEER]}')
  trackers: dict[str, SingleTracker] = {}
  parameters = {}
  for name, design in designs.items():
    trackers[name], parameters[name] = _tracker(design.folder, threads)
  if found:
    trackers |= found.trackers
  busy = circumstances.load()
  speeds = contest.take_rounds(trackers, sequences, args.rounds, args.frames)
  against = _PEER if found else BASELINE
  result = summarize(designs, parameters, speeds, against) | (
      circumstances.describe(threads, [busy, circumstances.load()])) | {
      'rounds': args.rounds, 'frames_per_turn': args.frames,
      'command': shlex.join(['python', '-m', 'perf.designs', *args.argv])}
  text = report(result)
  print(f'\n{text}')
  write_file(output / 'designs.md', text)
  write_summary(output / 'designs.json', result)
  save_plot(output / 'designs.png', result)
  print(f'results: {output}/')


def _tracker(folder: Path, threads: int) -> tuple[SingleTracker, int]:
  """What tracks with a training's weights, and how many there are."""
  try:
    from siamkpn_jax.tracking.onnx.kept import in_precision
    from siamkpn_jax.tracking.onnx.tracker import OnnxTracker
  except ModuleNotFoundError as error:
    raise UserError(f'the package {error.name} is missing; install onnx and '
                    'onnxruntime') from error
  config, variables = load_model(folder)
  network = in_precision(config, build_model(config.model), variables,
                         'float32')
  count = sum(np.size(leaf) for leaf in jax.tree.leaves(variables['params']))
  return OnnxTracker(network, decode_config(config), threads=threads), count


def summarize(designs: Mapping[str, Design], parameters: Mapping[str, int],
              speeds: Mapping[str, contest.Speeds], against: str
              ) -> dict[str, Any]:
  """All figures, ready for JSON; a peer has speeds alone."""
  rows: dict[str, Any] = {}
  for name, speed in speeds.items():
    rows[name] = {
        'frames_per_second': turns.quartiles(speed.frames_per_second),
        'speed_ratio': turns.quartiles(np.divide(
            speed.frames_per_second, speeds[against].frames_per_second))}
    if name in designs:
      rows[name] |= {'parameters': parameters[name],
                     'success_auc': list(designs[name].success_auc),
                     'precision_20': list(designs[name].precision_20)}
  return {'ratio_to': against, 'designs': rows}


def report(result: Mapping[str, Any]) -> str:
  """The table in Markdown."""
  head = ['variant', 'parameters', 'success AUC', 'precision at 20 px', 'seeds',
          'frames/s', f'speed / {result["ratio_to"]} (quartiles)']
  lines = [turns.row(head), turns.row(['---'] * len(head))]
  for name, entry in result['designs'].items():
    auc = entry.get('success_auc')
    lines.append(turns.row([
        name, *([f'{entry["parameters"]:,}', mean_and_deviation(auc),
                 mean_and_deviation(entry['precision_20']), f'{len(auc)}']
                if auc else ['-'] * 4),
        f'{entry["frames_per_second"]["median"]:.0f}',
        '{median:.2f} ({low:.2f} to {high:.2f})'.format(
            **entry['speed_ratio'])]))
  return '\n'.join([*lines, '', f'{circumstances.line(result)}; '
                    f'{result["rounds"]} rounds of '
                    f'{result["frames_per_turn"]} frames']) + '\n'


def save_plot(path: Path, result: Mapping[str, Any]) -> None:
  """Draws a dot for every training, and a name at each mean.

  Raises:
    UserError: it cannot be written.
  """
  figure = Figure(figsize=(8, 5), dpi=120, layout='constrained')
  axes = figure.add_subplot()
  ratios = {name: entry['speed_ratio']['median']
            for name, entry in result['designs'].items()}
  middle = (min(ratios.values()) + max(ratios.values())) / 2
  for name, entry in result['designs'].items():
    ratio = ratios[name]
    if 'success_auc' not in entry:
      axes.axvline(ratio, color='0.6', linewidth=0.8, linestyle='--')
      continue
    auc = entry['success_auc']
    color = '#D55E00' if name == BASELINE else '#0072B2'
    axes.plot([ratio] * len(auc), auc, 'o', color=color, alpha=0.6)
    right = ratio <= middle  # where a long name has room
    axes.annotate(name, (ratio, float(np.mean(auc))), (6 if right else -6, 0),
                  ha='left' if right else 'right', va='center',
                  textcoords='offset points', fontsize=8, color=color)
  axes.set_xlabel(f'speed / {result["ratio_to"]}')
  axes.set_ylabel('success AUC; dots: seeds')
  axes.grid(color='0.9')
  axes.set_axisbelow(True)
  axes.margins(x=0.1)
  axes.spines[['top', 'right']].set_visible(False)
  save_figure(figure, path)


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.designs'))
