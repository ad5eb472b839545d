"""Exports a checkpoint's weights and settings for this or another program.

  python -m siamkpn_jax.export --weights runs/kpn3s --output kpn3s.safetensors

--help lists all flags; they are declared in cli/export.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'export')

if __name__ == '__main__':
  leave(main())
