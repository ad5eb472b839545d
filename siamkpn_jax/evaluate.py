r"""Evaluates a tracker on a benchmark.

  python -m siamkpn_jax.evaluate --benchmark otb --data OTB100 \
    --weights CHECKPOINT --output DIR

--help lists all flags; they are declared in cli/evaluate.py.
"""

import sys
from collections.abc import Sequence

from siamkpn_jax.cli import evaluate
from siamkpn_jax.cli.command import execute


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute(evaluate, argv)


if __name__ == '__main__':
  sys.exit(main())
