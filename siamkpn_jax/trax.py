r"""Runs the tracker as a TraX server for the vot-toolkit.

  python -m siamkpn_jax.trax --weights CHECKPOINT \
    --trackers_ini trackers.ini --label siamkpn

--help lists all flags; they are declared in cli/trax.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'trax')

if __name__ == '__main__':
  leave(main())
