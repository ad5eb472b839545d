"""Shows what training would see: a table of the data sets and sample pairs.

  python -m siamkpn_jax.inspect --config configs/kpn3s.py --output pairs.png

--help lists all flags; they are declared in cli/inspect.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'inspect')

if __name__ == '__main__':
  leave(main())
