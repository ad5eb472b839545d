r"""Writes a benchmark report from the scores of one or more trackers.

  python -m siamkpn_jax.compare --scores Ours=ours.json --scores KCF=kcf.json \
    --output DIR --sequences OTB100

--help lists all flags; they are declared in cli/compare.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'compare')

if __name__ == '__main__':
  leave(main())
