r"""Makes a small copy of the training data, to move to another machine.

  python -m siamkpn_jax.shrink --config CONFIG --config.data.root=DIR \
    --megabytes 60 --output small
  python -m siamkpn_jax.train --config CONFIG --config.data.root=small

--help lists all flags; they are declared in cli/shrink.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'shrink')

if __name__ == '__main__':
  leave(main())
