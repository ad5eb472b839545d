"""A web page on which a box is drawn in a video and tracked.

  python -m siamkpn_jax.demo

--help lists all flags; they are declared in cli/demo.py.
"""

from collections.abc import Sequence

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute('demo', argv)


if __name__ == '__main__':
  leave(main())
