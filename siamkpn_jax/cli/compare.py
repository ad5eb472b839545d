r"""Writes a benchmark report from the scores of one or more trackers.

  python -m siamkpn_jax.compare --scores Ours=ours.json --scores KCF=kcf.json \
    --output DIR --sequences OTB100

Writes to DIR: report.html, a self-contained page that works offline, and its
plots (PNG) and tables (CSV, LaTeX) as files. Scores come from siamkpn_jax.score
--json or from the summary.json of an evaluation.
"""

import argparse
import shlex
from pathlib import Path

from siamkpn_jax.cli import extras
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.cli.paths import output_folder
from siamkpn_jax.core.errors import UserError


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--scores', action='append', required=True,
      help='Scores of one tracker: NAME=FILE. Repeat the flag for more '
      'trackers; the report shows the worst failures of the first.')
  parser.add_argument(
      '--output', required=True, help='Folder for the report.')
  parser.add_argument(
      '--sequences', default='',
      help='Benchmark folder with images, needed to show the worst '
      'failures.')


def run(args: argparse.Namespace) -> None:
  """Writes the report; see the flags."""
  # Late imports: a mistake in the flags is reported at once.
  files = [_split(scores) for scores in args.scores]
  output = output_folder(args.output, '--output')
  from siamkpn_jax.evaluation.report.entries import read_entry
  entries = [read_entry(name, path) for name, path in files]
  extras.require('compare', 'matplotlib')
  from siamkpn_jax.evaluation.report.write import write_entries
  data = Path(args.sequences) if args.sequences else None
  command = shlex.join(['python', '-m', 'siamkpn_jax.compare', *args.argv])
  path = write_entries(entries, output, sequences=data,
                       commands=[command])
  print(f'wrote {path}')


def _split(scores: str) -> tuple[str, Path]:
  name, equals, path = scores.partition('=')
  if not (name.strip() and equals and path):
    raise UserError(f'--scores {scores}: expected NAME=FILE, such as '
                    'SiamKPN=scores.json')
  return name, Path(path)
