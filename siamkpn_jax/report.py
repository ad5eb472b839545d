"""Writes the page of a training run: state, curves, numbers, settings.

  python -m siamkpn_jax.report --workdir runs/kpn3s

The page, report.html in the run's folder, needs no other file and no network.
The run may be under way: the page shows what is logged so far.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from siamkpn_jax import cli

_WORKDIR = flags.DEFINE_string(
    'workdir', None, 'Folder of the run, as given to training.',
    required=True)


def main(unused_argv: Sequence[str]) -> None:
  """Writes report.html."""
  # Late: a mistake in the flags shows before the slow imports.
  from siamkpn_jax.training.report import write_report
  print(f'wrote {write_report(Path(_WORKDIR.value))}')


if __name__ == '__main__':
  cli.run(main)
