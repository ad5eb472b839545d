r"""Evaluates a tracker on a benchmark.

  python -m siamkpn_jax.evaluate --benchmark otb --data OTB100 \
    --weights CHECKPOINT --output DIR

--help lists all flags; they are declared in cli/evaluate.py.
"""

from collections.abc import Sequence

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute('evaluate', argv)


if __name__ == '__main__':
  leave(main())
