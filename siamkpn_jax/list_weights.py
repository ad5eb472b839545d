"""Lists the models in the package.

  python -m siamkpn_jax.list_weights

See cli/list_weights.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'list_weights')

if __name__ == '__main__':
  leave(main())
