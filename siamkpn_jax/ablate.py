"""Trains variants of a configuration with several seeds and compares them.

  python -m siamkpn_jax.ablate --config configs/demo.py \
    --change model.num_stages=1 --change targets.rho=1.0 --output runs/ablation

Writes to --output: ablation.md (a table), ablation.png, and a training per
variant and seed. Started again, it goes on where it was; more changes and
seeds may be added.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from siamkpn_jax import cli

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Configuration file of the baseline.', lock_config=True)
_CHANGE = flags.DEFINE_multi_string(
    'change', [], 'Settings of a variant: section.name=value,...; once for '
    'each variant.')
_SEEDS = flags.DEFINE_list('seeds', ['0', '1', '2'], 'Seeds of the trainings.')
_OUTPUT = flags.DEFINE_string(
    'output', None, 'Folder for the results.', required=True)
_DATA = flags.DEFINE_string(
    'data', '', 'Folder with the sequences to evaluate on, as for '
    'siamkpn_jax.evaluate; default: rendered videos that no training sees.')
_ZERO_BASED = flags.DEFINE_list(
    'zero_based', [], 'Sequences in --data whose annotation counts pixels '
    'from 0 (names or patterns).')
_SEQUENCES = flags.DEFINE_integer(
    'sequences', 32, 'Number of rendered videos, without --data.',
    lower_bound=1)


def main(unused_argv: Sequence[str]) -> None:
  """Runs the study and prints the table."""
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.core.errors import UserError
  from siamkpn_jax.datasets.synthetic import split_seed, write_otb
  from siamkpn_jax.distributed import preemption
  from siamkpn_jax.evaluation.formats.sequences import load_otb
  from siamkpn_jax.experiments import ablation

  variants = ablation.make_variants(_CONFIG.value, _CHANGE.value)
  if not all(seed.isdecimal() for seed in _SEEDS.value):
    raise UserError(f'--seeds={",".join(_SEEDS.value)}: expected numbers '
                    'separated by commas, such as 0,1,2')
  seeds = sorted({int(seed) for seed in _SEEDS.value})
  output = Path(_OUTPUT.value)
  if _DATA.value:
    videos = load_otb(_DATA.value, zero_based=_ZERO_BASED.value)
  else:
    names = write_otb(output / 'sequences', seed=split_seed('test', 0),
                      count=_SEQUENCES.value)
    videos = load_otb(output / 'sequences', names=names)
  try:
    print(ablation.run(variants, seeds, output, videos))
  except preemption.Preempted as stopped:
    print(stopped, file=sys.stderr)
    if stopped.interrupted:
      raise
    return
  print(f'{output}: ablation.md, ablation.png, a training per variant and seed')


if __name__ == '__main__':
  flags.mark_flag_as_required('config')
  cli.run(main)
