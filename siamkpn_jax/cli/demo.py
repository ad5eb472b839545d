"""A web page: draw a box in a video or before the webcam, watch it tracked.

  python -m siamkpn_jax.demo

It is for this machine alone unless --host is given; Ctrl-C ends it.
"""

import argparse
import contextlib

from siamkpn_jax.cli import extras
from siamkpn_jax.cli.parser import Parser, names, real, whole
from siamkpn_jax.cli.paths import existing_weights
from siamkpn_jax.cli.tracker_flags import (
  add_tracking_argument,
  add_weights_argument,
)
from siamkpn_jax.config.overrides import parse_tracking
from siamkpn_jax.core.announce import announced
from siamkpn_jax.page.limits import Limits


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--host', default='127.0.0.1',
      help='Address to listen on; 0.0.0.0 lets others in.')
  parser.add_argument(
      '--port', type=whole(0, 65535), default=8765,
      help='Port to listen on; 0: any free one.')
  parser.add_argument(
      '--names', type=names, default=(),
      help='Names, with commas, by which browsers reach this server besides '
      'its addresses: behind a proxy, for example.')
  add_weights_argument(parser)
  add_tracking_argument(parser)
  parser.add_argument(
      '--upload_mb', type=real(0.001, 1e5), default=Limits.upload_mb,
      help='Megabytes of an uploaded video at most.')
  parser.add_argument(
      '--upload_minutes', type=real(0.01, 1e5), default=Limits.upload_minutes,
      help='Time that an upload may take.')
  parser.add_argument(
      '--seconds', type=real(0.1, 1e5), default=Limits.seconds,
      help='Length of a video at most.')
  parser.add_argument(
      '--frames', type=whole(1, 10**7), default=Limits.frames,
      help='Frames of a video at most; each takes disk while it is open.')
  parser.add_argument(
      '--clients', type=whole(1, 1000), default=Limits.clients,
      help='Videos and cameras that are open at the same time at most.')
  parser.add_argument(
      '--minutes', type=real(0.01, 1e5), default=Limits.minutes,
      help='Time after which a video that nobody looks at is removed.')


def run(args: argparse.Namespace) -> None:
  """Serves until Ctrl-C."""
  weights = existing_weights(args.weights)
  tracking = parse_tracking(args.tracking)
  extras.require('demo')
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.page.server import bind, serve
  listening = bind(args.host, args.port)
  with contextlib.ExitStack() as stack:
    stack.callback(listening.close)
    with announced('loading the tracker'):
      from siamkpn_jax.page.groups import Trackers
      trackers = Trackers(weights, **tracking)
      trackers.group(1, stages=False)  # wrong weights show before a visitor
    serve(listening, args.host, args.names,
          Limits(upload_mb=args.upload_mb, upload_minutes=args.upload_minutes,
                 seconds=args.seconds, frames=args.frames,
                 clients=args.clients, minutes=args.minutes), trackers)
