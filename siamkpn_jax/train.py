"""Trains SiamKPN.

  python -m siamkpn_jax.train --config configs/kpn3s.py --workdir runs/kpn3s

--help lists all flags; they are declared in cli/train.py.
"""

from collections.abc import Sequence

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute('train', argv)


if __name__ == '__main__':
  leave(main())
