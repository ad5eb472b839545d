"""Writes a report page of a training run: progress, curves and settings.

  python -m siamkpn_jax.report --workdir runs/kpn3s

--help lists all flags; they are declared in cli/report.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'report')

if __name__ == '__main__':
  leave(main())
