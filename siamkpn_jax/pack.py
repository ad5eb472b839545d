"""Packs the crops of a data set into records, for clusters and slow disks.

  python -m siamkpn_jax.pack --set data/got10k --output packed
  python -m siamkpn_jax.train --config CONFIG --config.data.root=packed

--help lists all flags; they are declared in cli/pack.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'pack')

if __name__ == '__main__':
  leave(main())
