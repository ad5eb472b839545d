r"""Converts PyTorch weights to a checkpoint, or a checkpoint to PyTorch.

  python -m siamkpn_jax.convert --input siamkpn.pth --output weights/kpn3s
  python -m siamkpn_jax.convert --input resnet50.pth --part backbone \
    --output weights/resnet50
  python -m siamkpn_jax.convert --to torch --input runs/kpn3s --output kpn3s.pth

--help lists all flags; they are declared in cli/convert.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'convert')

if __name__ == '__main__':
  leave(main())
