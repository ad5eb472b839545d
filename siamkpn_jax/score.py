r"""Scores result files of any tracker on a benchmark.

  python -m siamkpn_jax.score --benchmark otb --annotations OTB100 \
    --results DIR --protocol otb --json scores.json

--help lists all flags; they are declared in cli/score.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'score')

if __name__ == '__main__':
  leave(main())
