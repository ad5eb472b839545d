"""Lists the models in the package: how good, how fast, how large, what license.

  siamkpn weights

The figures are those of MODEL_CARD.md, measured by `python -m perf.peers`; a
name goes to --weights or load_tracker.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siamkpn_jax.checkpoints.packaged import DEFAULT, packaged_weights
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.core.stored_json import read_json

_FIELDS = {'success_auc': float, 'precision_20': float, 'about': str,
           'frames_per_second': dict, 'license': str}
_HEADINGS = ('name', 'success AUC', 'precision', 'frames/s', 'size', 'license')


def add_arguments(parser: Parser) -> None:
  """Has no flags."""
  del parser


def run(args: argparse.Namespace) -> None:
  """Prints the table."""
  del args
  models = packaged_weights()
  if not models:
    print('no weights in this installation: pass your own to --weights')
    return
  told = {name: read_json(
      path.with_suffix('.json'), 'the figures of a model', fields=_FIELDS,
      advice='install the package again')
          for name, path in models.items()}
  rows = [_HEADINGS] + [
      _row(name, models[name], figures) for name, figures in told.items()]
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  for row in rows:
    print('  '.join(word.ljust(width) for word, width in zip(
        row, widths, strict=True)).rstrip())
  for name, figures in told.items():
    print(f'{name}: {figures["about"]}')


def _row(name: str, path: Path, figures: Mapping[str, Any]) -> tuple[str, ...]:
  default = ' (default)' if name == DEFAULT else ''
  speeds = ', '.join(f'{speed} ({how})' for how, speed in
                     figures['frames_per_second'].items())
  return (name + default, f'{figures["success_auc"]:.3f}',
          f'{figures["precision_20"]:.3f}', speeds,
          f'{path.stat().st_size / 1e6:.1f} MB', figures['license'])
