r"""Trains variants with several seeds and compares them.

  python -m siamkpn_jax.ablate --config configs/demo.py \
    --change model.num_stages=1 --change targets.rho=1.0 --output runs/ablation

Writes to --output: ablation.md (a table), ablation.png, and one training run
per variant and seed. The same command resumes an interrupted study; variants
and seeds can be added to it. A row is called as its flag is written.
"""

import argparse
import sys

from siamkpn_jax.cli import config_flags, extras
from siamkpn_jax.cli.parser import Parser, names, whole
from siamkpn_jax.cli.paths import check_filled, existing_folder, output_folder
from siamkpn_jax.config.files import load_config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import folder_lock
from siamkpn_jax.core.numbers import is_count


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Configuration file of the baseline.', required=True)
  parser.add_argument(
      '--change', action='append', default=[],
      help='Settings of one variant: section.name=value,... Repeat the flag '
      'for more variants.')
  parser.add_argument(
      '--variant', action='append', default=[], metavar='FILE[:ARG]',
      help='Another configuration as a variant, with the same overrides, but '
      'without the changes. Repeat the flag for more.')
  parser.add_argument(
      '--seeds', type=names, default=('0', '1', '2'),
      help='Comma-separated seeds; each variant is trained once per seed.')
  parser.add_argument(
      '--output', required=True, help='Folder for the results.')
  parser.add_argument(
      '--data',
      help='Folder of sequences to evaluate on, in OTB layout; default: '
      'rendered videos that are never trained on.')
  parser.add_argument(
      '--zero_based', type=names, default=(),
      help='Sequences in --data whose annotations are 0-based '
      '(comma-separated names or patterns).')
  parser.add_argument(
      '--sequences', type=whole(1), default=32,
      help='Number of rendered videos to evaluate on, without --data.')


def run(args: argparse.Namespace) -> None:
  """Runs the study and prints its table."""
  if not args.seeds or not all(map(is_count, args.seeds)):
    raise UserError(f'--seeds={",".join(args.seeds)}: expected numbers '
                    'separated by commas, such as 0,1,2')
  seeds = sorted({int(seed) for seed in args.seeds})
  output = output_folder(args.output, '--output')
  check_filled(args.data, '--data')
  if args.data:
    existing_folder(args.data, '--data', 'sequences in OTB layout')
  config = config_flags.load(args)
  others = [(name, load_config(name, args.config_overrides, flag='--variant'))
            for name in args.variant]
  extras.require('ablate')
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.datasets.synthetic import split_seed, write_otb
  from siamkpn_jax.distributed import preemption
  from siamkpn_jax.evaluation.formats.sequences import load_otb
  from siamkpn_jax.experiments import ablation

  variants = ablation.make_variants(
      config, args.change, [ablation.Variant(*other) for other in others])
  try:
    with folder_lock(output, '--output'):
      if args.data:
        videos = load_otb(args.data, zero_based=args.zero_based)
      else:
        names = write_otb(output / 'sequences', seed=split_seed('test', 0),
                          count=args.sequences)
        videos = load_otb(output / 'sequences', names=names)
      print(ablation.run(variants, seeds, output, videos))
  except preemption.Preempted as stopped:
    if stopped.interrupted:
      raise
    print(stopped, file=sys.stderr)
    return
  print(f'wrote {output}: ablation.md, ablation.png, one run per variant and '
        'seed')
