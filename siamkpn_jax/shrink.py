r"""Makes a small copy of the training data, to move to another machine.

  python -m siamkpn_jax.shrink --config CONFIG --config.data.root=DIR \
    --megabytes 60 --output small
  python -m siamkpn_jax.train --config CONFIG --config.data.root=small

--help lists all flags; they are declared in cli/shrink.py.
"""

from collections.abc import Sequence

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute('shrink', argv)


if __name__ == '__main__':
  leave(main())
