"""Trains SiamKPN.

  python -m siamkpn_jax.train --config configs/kpn3s.py --workdir runs/kpn3s

--help lists all flags; they are declared in cli/train.py.
"""

import sys
from collections.abc import Sequence

from siamkpn_jax.cli import train
from siamkpn_jax.cli.command import execute


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute(train, argv)


if __name__ == '__main__':
  sys.exit(main())
