r"""Scores result files of any tracker on a benchmark.

  python -m siamkpn_jax.score --benchmark otb --annotations OTB100 \
    --results DIR --protocol otb --json scores.json

docs/evaluation.md lists the supported file layouts and protocols. Exit status
1: the annotation of some sequences cannot be used, the others are scored.
"""

import argparse
import sys
from pathlib import Path

from siamkpn_jax.cli.parser import Parser, names, real
from siamkpn_jax.cli.paths import check_filled
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.errors import UserError, few


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  from siamkpn_jax.evaluation.scoring import SCORERS

  parser.add_argument(
      '--benchmark', choices=sorted(SCORERS), required=True,
      help='Benchmark that was tracked.')
  parser.add_argument(
      '--annotations', required=True,
      help="Benchmark folder, or an annotation file in pysot's JSON format; "
      'images are not needed.')
  parser.add_argument(
      '--results', required=True, help='Folder with the result files.')
  parser.add_argument(
      '--protocol', help="Scoring protocol; default: the benchmark's own.")
  parser.add_argument(
      '--json', help='JSON file to write the scores to.')
  parser.add_argument(
      '--attributes',
      help='File or folder with the attributes of each sequence; default: the '
      'one next to the annotations.')
  parser.add_argument(
      '--sequences', type=names, default=(),
      help='Score only these sequences (comma-separated names or patterns).')
  parser.add_argument(
      '--shift', type=real(), default=0,
      help='Pixels to add to x and y of the results: 1 if they are 0-based and '
      'the annotations 1-based.')


def run(args: argparse.Namespace) -> int:
  """Scores; see the flags. Returns the exit status."""
  from siamkpn_jax.evaluation import scoring
  from siamkpn_jax.evaluation.formats.results import write_summary
  from siamkpn_jax.evaluation.report.score_table import score_table

  benchmark = args.benchmark
  if not (args.annotations and args.results):
    raise UserError('--annotations or --results: empty; expected a path for '
                    'each')
  check_filled(args.json, '--json')
  output = check_output(args.json, '--json', suffixes=('.json',))
  summary = scoring.score(scoring.ScoringRequest(
      benchmark, Path(args.annotations), Path(args.results),
      args.protocol, Path(args.attributes) if args.attributes else None,
      args.sequences, args.shift))
  if output:  # before anything is printed: `| head` may end the command there
    write_summary(output, summary)
  print(score_table(summary))
  for note in summary['notes']:
    print(f'note: {note}')
  print(f'{summary["benchmark"]}, {summary["num_sequences"]} sequences, '
        f'protocol {summary["protocol"]}: {summary["rule"]}')
  if output:
    print(f'wrote {output}')
  failed = summary.get('failed', {})
  if failed:
    sys.stdout.flush()
    print(f'error: {len(failed)} sequences failed: {few(failed)}; the others '
          'are scored: see the notes', file=sys.stderr)
  return 1 if failed else 0
