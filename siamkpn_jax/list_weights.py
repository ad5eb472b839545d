"""Lists the models in the package.

  python -m siamkpn_jax.list_weights

See cli/list_weights.py.
"""

from collections.abc import Sequence

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute('list_weights', argv)


if __name__ == '__main__':
  leave(main())
