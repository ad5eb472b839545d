"""Trains SiamKPN.

  python -m siamkpn_jax.train --config configs/kpn3s.py --workdir runs/kpn3s

--help lists all flags; they are declared in cli/train.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'train')

if __name__ == '__main__':
  leave(main())
