r"""Trains variants of a configuration with several seeds and compares them.

  python -m siamkpn_jax.ablate --config configs/demo.py \
    --change model.num_stages=1 --change targets.rho=1.0 --output runs/ablation

--help lists all flags; they are declared in cli/ablate.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'ablate')

if __name__ == '__main__':
  leave(main())
