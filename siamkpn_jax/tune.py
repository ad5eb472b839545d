r"""Searches for the best tracking hyperparameters on annotated sequences.

  python -m siamkpn_jax.tune --benchmark got10k --data GOT10k/val \
    --weights RUN --output runs/tuned

--help lists all flags; they are declared in cli/tune.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'tune')

if __name__ == '__main__':
  leave(main())
