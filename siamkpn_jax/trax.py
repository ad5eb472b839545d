r"""Runs the tracker as a TraX server for the vot-toolkit.

  python -m siamkpn_jax.trax --weights CHECKPOINT \
    --trackers_ini trackers.ini --label siamkpn

--help lists all flags; they are declared in cli/trax.py.
"""

from collections.abc import Sequence

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute('trax', argv)


if __name__ == '__main__':
  leave(main())
