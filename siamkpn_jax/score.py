r"""Scores result files of any tracker on a benchmark.

  python -m siamkpn_jax.score --benchmark otb --annotations OTB100 \
    --results DIR --protocol otb --json scores.json

--help lists all flags; they are declared in cli/score.py.
"""

from collections.abc import Sequence

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute('score', argv)


if __name__ == '__main__':
  leave(main())
