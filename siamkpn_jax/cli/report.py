"""Writes a report page of a training run: progress, curves and settings.

  python -m siamkpn_jax.report --workdir runs/kpn3s

Writes report.html to the workdir: a self-contained page that works offline. The
run may still be in progress; the page shows what has been logged so far.
"""

import argparse

from siamkpn_jax.cli import extras
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.cli.paths import existing_folder
from siamkpn_jax.core.atomic_io import check_output


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--workdir', required=True,
      help='Workdir of the training run.')


def run(args: argparse.Namespace) -> None:
  """Writes report.html."""
  workdir = existing_folder(args.workdir, '--workdir', 'that of a training')
  check_output(workdir / 'report.html', '--workdir')
  extras.require('report')
  # Late: a mistake in the flags shows before the slow imports.
  from siamkpn_jax.training.report import write_report
  print(f'wrote {write_report(workdir)}')
