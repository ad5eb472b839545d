r"""Writes the report of a benchmark from the scores of one or more trackers.

  python -m siamkpn_jax.compare --scores Ours=ours.json --scores KCF=kcf.json \
    --output DIR --sequences OTB100

Writes to DIR: report.html, which needs no other file and no network, and what
is in it as files: plots (PNG) and tables (CSV, LaTeX). The scores are what
siamkpn_jax.score writes by --json, or the summary.json of an evaluation.
"""

import argparse
import shlex
from pathlib import Path

from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.core.errors import UserError


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--scores', action='append', required=True,
      help="A tracker: NAME=FILE; once for each. The first one's failures are "
      'shown.')
  parser.add_argument(
      '--output', required=True, help='Folder for the report.')
  parser.add_argument(
      '--sequences', default='',
      help="The benchmark's folder with its images, to show the worst "
      'failures.')


def run(args: argparse.Namespace) -> None:
  """Writes the report; see the flags."""
  # Late imports: a mistake in the flags is reported at once.
  files = [_split(scores) for scores in args.scores]
  if not args.output:
    raise UserError('--output must not be empty')
  from siamkpn_jax.evaluation.report.entries import read_entry
  from siamkpn_jax.evaluation.report.write import write_entries
  entries = [read_entry(name, path) for name, path in files]
  data = Path(args.sequences) if args.sequences else None
  command = shlex.join(['python', '-m', 'siamkpn_jax.compare', *args.argv])
  path = write_entries(entries, Path(args.output), sequences=data,
                       commands=[command])
  print(f'wrote {path}')


def _split(scores: str) -> tuple[str, Path]:
  name, equals, path = scores.partition('=')
  if not (name.strip() and equals and path):
    raise UserError(f'--scores {scores}: expected NAME=FILE, as in '
                    'SiamKPN=scores.json')
  return name, Path(path)
