"""Writes the page of a training run: state, curves, numbers, settings.

  python -m siamkpn_jax.report --workdir runs/kpn3s

The page, report.html in the run's folder, needs no other file and no network.
The run may be under way: the page shows what is logged so far.
"""

import argparse
from pathlib import Path

from siamkpn_jax.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--workdir', required=True,
      help='Folder of the run, as given to training.')


def run(args: argparse.Namespace) -> None:
  """Writes report.html."""
  # Late: a mistake in the flags shows before the slow imports.
  from siamkpn_jax.training.report import write_report
  print(f'wrote {write_report(Path(args.workdir))}')
