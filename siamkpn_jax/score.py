"""Scores result files on a benchmark, by the rule of a toolkit.

  python -m siamkpn_jax.score --benchmark otb --annotations OTB100 \
    --results DIR --protocol otb --json scores.json

The files may be anybody's; docs/evaluation.md lists layouts and protocols.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from siamkpn_jax import cli
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation import scoring
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.evaluation.report.score_table import score_table

_BENCHMARK = flags.DEFINE_enum(
    'benchmark', None, sorted(scoring.SCORERS), 'What was tracked.')
_ANNOTATIONS = flags.DEFINE_string(
    'annotations', None, "The benchmark's folder, or a JSON file of pysot's "
    'kind; images are not needed.')
_RESULTS = flags.DEFINE_string('results', None, 'Folder of result files.')
_PROTOCOL = flags.DEFINE_string(
    'protocol', None, "The rule; default: the benchmark's own.")
_JSON = flags.DEFINE_string('json', None, 'Where the scores are written.')
_ATTRIBUTES = flags.DEFINE_string(
    'attributes', None, 'File or folder that tells the attributes of each '
    'sequence; default: the one beside the annotations.')
_SEQUENCES = flags.DEFINE_list(
    'sequences', [], 'Score only these (comma-separated names or patterns).')
_SHIFT = flags.DEFINE_float(
    'shift', 0, 'Added to x and y of the results: 1 where they count pixels '
    'from 0 and the annotations from 1.')


def main(argv: Sequence[str]) -> None:
  """Scores; see the flags."""
  del argv
  benchmark = _BENCHMARK.value
  if not (benchmark and _ANNOTATIONS.value and _RESULTS.value):
    raise UserError('--benchmark, --annotations and --results must not be '
                    'empty')
  if not math.isfinite(_SHIFT.value):
    raise UserError(f'--shift={_SHIFT.value}: expected a finite number of '
                    'pixels; give one, or leave it out')
  output = check_output(_JSON.value, '--json', suffixes=('.json',))
  summary = scoring.score(scoring.Request(
      benchmark, Path(_ANNOTATIONS.value), Path(_RESULTS.value),
      _PROTOCOL.value, Path(_ATTRIBUTES.value) if _ATTRIBUTES.value else None,
      tuple(_SEQUENCES.value), _SHIFT.value))
  print(score_table(summary))
  for note in summary['notes']:
    print(f'note: {note}')
  print(f'{summary["benchmark"]}, {summary["num_sequences"]} sequences, '
        f'protocol {summary["protocol"]}: {summary["rule"]}')
  if output:
    results.write_summary(output, summary)
    print(f'scores: {output}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['benchmark', 'annotations', 'results'])
  cli.run(main)
