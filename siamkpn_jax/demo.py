"""A web page on which a box is drawn in a video and tracked.

  python -m siamkpn_jax.demo

--help lists all flags; they are declared in cli/demo.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'demo')

if __name__ == '__main__':
  leave(main())
