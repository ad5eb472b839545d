r"""Runs the tracker as a TraX server for the vot-toolkit.

  python -m siamkpn_jax.trax --weights CHECKPOINT \
    --trackers_ini trackers.ini --label siamkpn

With --trackers_ini it registers the tracker with the toolkit and exits (see
docs/vot.md); otherwise it serves a TraX client on standard input and output.
"""

import argparse

from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.cli.paths import check_filled, existing_weights
from siamkpn_jax.cli.tracker_flags import (
    add_tracking_argument,
    add_weights_argument,
)
from siamkpn_jax.config.overrides import parse_tracking
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.errors import UserError


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  add_weights_argument(parser, required=True)
  add_tracking_argument(parser)
  parser.add_argument(
      '--trackers_ini',
      help='Instead of tracking, add the tracker to this vot-toolkit file; '
      'other entries are kept.')
  parser.add_argument(
      '--label', default='siamkpn',
      help='Name of the tracker in the toolkit.')


def run(args: argparse.Namespace) -> None:
  """Tracks or writes the entry, as the flags say."""
  from siamkpn_jax.evaluation.trax import server, trackers_ini

  if not args.weights:
    raise UserError('--weights: empty; expected a checkpoint or the name of a '
                    'packaged model')
  check_filled(args.trackers_ini, '--trackers_ini')
  weights = existing_weights(args.weights)
  registry = check_output(args.trackers_ini, '--trackers_ini',
                          suffixes=('.ini',))
  if registry:
    trackers_ini.check_label(args.label)
  with server.stdout_kept() as opened:
    server.import_trax()
    # Late: a mistake above shows before the slow imports of the model.
    from siamkpn_jax.tracking.load import load_tracker
    # The boxes of `evaluate`, which runs in JAX too.
    tracker = load_tracker(weights, engine='jax',
                           **parse_tracking(args.tracking))
    if not registry:
      # Before the client is greeted: it measures the time from there.
      server.warm_up(tracker)
      server.serve(tracker, opened)
      return
  trackers_ini.write_entry(registry, args.label, weights, args.tracking)
  print(f'wrote {registry}\ntest with: vot test {args.label}')
