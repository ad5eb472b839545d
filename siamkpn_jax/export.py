"""Exports a checkpoint's weights and settings for this or another program.

  python -m siamkpn_jax.export --weights runs/kpn3s --output kpn3s.safetensors

--help lists all flags; they are declared in cli/export.py.
"""

from collections.abc import Sequence

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the command with these arguments; returns its exit status."""
  return execute('export', argv)


if __name__ == '__main__':
  leave(main())
