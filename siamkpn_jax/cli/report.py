"""Writes a report page of a training run: progress, curves and settings.

  python -m siamkpn_jax.report --workdir runs/kpn3s

Writes report.html to the workdir: a self-contained page that works offline. The
run may still be in progress; the page shows what has been logged so far.
"""

import argparse
from pathlib import Path

from siamkpn_jax.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--workdir', required=True,
      help='Workdir of the training run.')


def run(args: argparse.Namespace) -> None:
  """Writes report.html."""
  # Late: a mistake in the flags shows before the slow imports.
  from siamkpn_jax.training.report import write_report
  print(f'wrote {write_report(Path(args.workdir))}')
