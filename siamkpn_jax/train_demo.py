"""Trains a small tracker on rendered videos and evaluates it on unseen ones.

  python -m siamkpn_jax.train_demo --config configs/demo.py --output runs/demo

--help lists all flags; they are declared in cli/train_demo.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'train_demo')

if __name__ == '__main__':
  leave(main())
