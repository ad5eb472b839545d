"""Trains a small tracker on rendered videos and evaluates it on unseen ones.

  python -m siamkpn_jax.train_demo --config configs/demo.py --output runs/demo

--help lists all flags; they are declared in cli/train_demo.py.
"""

from collections.abc import Sequence

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute('train_demo', argv)


if __name__ == '__main__':
  leave(main())
