"""Packs the crops of a data set into records, for clusters and slow disks.

  python -m siamkpn_jax.pack --set data/got10k --output packed
  python -m siamkpn_jax.train --config CONFIG --config.data.root=packed

--help lists all flags; they are declared in cli/pack.py.
"""

from collections.abc import Sequence

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute('pack', argv)


if __name__ == '__main__':
  leave(main())
