r"""A TraX server, which the vot-toolkit starts and drives.

  python -m siamkpn_jax.trax --weights CHECKPOINT \
    --trackers_ini trackers.ini --label siamkpn

makes it known to the toolkit and ends; docs/vot.md goes on from there. Without
--trackers_ini it tracks for the client at its standard input and output.
"""

import argparse

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.errors import UserError


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--weights', required=True,
      help='Checkpoint or .safetensors file of the tracker, or the name of a '
      'packaged model.')
  parser.add_argument(
      '--tracking', default='',
      help="Other settings than the checkpoint's: penalty_k=0.1,... "
      '(docs/tracking.md).')
  parser.add_argument(
      '--trackers_ini',
      help="Do not track: write the tracker's entry to this file of the "
      'vot-toolkit, whose other entries stay.')
  parser.add_argument(
      '--label', default='siamkpn',
      help='The name of the tracker in the toolkit.')


def run(args: argparse.Namespace) -> None:
  """Tracks or writes the entry, as the flags say."""
  from siamkpn_jax.evaluation.trax import server, trackers_ini

  if not args.weights:
    raise UserError('--weights must not be empty')
  weights = find_weights(args.weights)
  registry = check_output(args.trackers_ini, '--trackers_ini',
                          suffixes=('.ini',))
  if registry:
    trackers_ini.check_label(args.label)
  with server.stdout_kept() as opened:
    server.import_trax()
    # Late: a mistake above shows before the slow imports of the model.
    from siamkpn_jax.tracking.tracker import load_tracker
    tracker = load_tracker(weights, args.tracking)
    if not registry:
      # Before the client is greeted: it measures the time from there.
      server.warm_up(tracker)
      server.serve(tracker, opened)
      return
  trackers_ini.write_entry(registry, args.label, weights, args.tracking)
  print(f'wrote {registry}\ntest it: vot test {args.label}')
