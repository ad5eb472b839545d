r"""Evaluates a tracker on a benchmark.

  python -m siamkpn_jax.evaluate --benchmark otb --data OTB100 \
    --weights CHECKPOINT --output DIR

--help lists all flags; they are declared in cli/evaluate.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'evaluate')

if __name__ == '__main__':
  leave(main())
