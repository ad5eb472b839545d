"""Writes the report of a benchmark from the scores of one or more trackers.

  python -m siamkpn_jax.compare --scores Ours=ours.json --scores KCF=kcf.json \
    --output DIR --sequences OTB100

Writes to DIR: report.html, which needs no other file and no network, and what
is in it as files: plots (PNG) and tables (CSV, LaTeX). The scores are what
siamkpn_jax.score writes by --json, or the summary.json of an evaluation.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from siamkpn_jax import cli
from siamkpn_jax.core.errors import UserError

_SCORES = flags.DEFINE_multi_string(
    'scores', None, "A tracker: NAME=FILE; once for each. The first one's "
    'failures are shown.', required=True)
_OUTPUT = flags.DEFINE_string('output', None, 'Folder for the report.',
                              required=True)
_SEQUENCES = flags.DEFINE_string(
    'sequences', '', "The benchmark's folder with its images, to show the "
    'worst failures.')


def main(argv: Sequence[str]) -> None:
  """Writes the report; see the flags."""
  del argv
  # Late imports: a mistake in the flags is reported at once.
  files = [_split(scores) for scores in _SCORES.value]
  if not _OUTPUT.value:
    raise UserError('--output must not be empty')
  from siamkpn_jax.evaluation.report.entries import read_entry
  from siamkpn_jax.evaluation.report.write import write_entries
  entries = [read_entry(name, path) for name, path in files]
  data = Path(_SEQUENCES.value) if _SEQUENCES.value else None
  path = write_entries(entries, Path(_OUTPUT.value), sequences=data,
                       commands=[_command()])
  print(f'wrote {path}')


def _split(scores: str) -> tuple[str, Path]:
  name, equals, path = scores.partition('=')
  if not (name.strip() and equals and path):
    raise UserError(f'--scores {scores}: expected NAME=FILE, as in '
                    'SiamKPN=scores.json')
  return name, Path(path)


def _command() -> str:
  parts = [part for scores in _SCORES.value for part in ('--scores', scores)]
  parts += ['--output', _OUTPUT.value]
  if _SEQUENCES.value:
    parts += ['--sequences', _SEQUENCES.value]
  return shlex.join(['python', '-m', 'siamkpn_jax.compare', *parts])


if __name__ == '__main__':
  cli.run(main)
