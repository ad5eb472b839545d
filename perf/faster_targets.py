"""Success AUC where targets move further in a frame, from several beginnings.

  python -m perf.faster_targets --data SEQUENCES --tracking search_size=255

With only every n-th frame, a target moves n times as far. A dozen sequences,
each begun once, tell little about a setting, since a pixel can decide whether
a target is lost: so each is begun at several places, and the results differ.
With --look_alike, a copy of the target circles it, on a way that depends on the
place of the sequence among those that are given. --peer runs one of OpenCV's
trackers instead of ours, from boxes rounded to whole pixels.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from perf import look_alike
from perf.opencv_trackers import FILES, find_trackers
from perf.sequences import add_sequence_flags, otb_score
from perf.turns import row
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, Switch, names, whole
from siamkpn_jax.cli.tracker_flags import (
  add_tracking_argument,
  add_weights_argument,
)
from siamkpn_jax.config.overrides import parse_tracking
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import read_image
from siamkpn_jax.evaluation.formats.sequences import Video, load_otb
from siamkpn_jax.evaluation.metrics import ope
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.tracking.one_target import SingleTracker

_FEWEST = 3  # frames of a part


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  add_sequence_flags(parser)
  add_weights_argument(parser)
  add_tracking_argument(parser)
  parser.add_argument(
      '--long_term', action=Switch, default=False, help='As of eval.')
  parser.add_argument(
      '--sequences', type=names, default=(), help='These alone, or patterns.')
  parser.add_argument(
      '--every', type=whole(1, 100), default=4,
      help='All frames, every second ... up to every n-th.')
  parser.add_argument(
      '--starts', type=whole(1, 10), default=4,
      help='Beginnings, a fifth of a sequence apart or less.')
  parser.add_argument(
      '--look_alike', action=Switch, default=False,
      help='Paste a copy of the target that circles it.')
  parser.add_argument(
      '--peer', choices=list(FILES), help="This tracker of OpenCV's, not ours.")
  parser.add_argument(
      '--models', help="Folder of the peer's files, as of perf.peers.")


def run(args: argparse.Namespace) -> None:
  """Tracks and prints a table: sequences, and their mean."""
  tracker = _tracker(args)
  videos = load_otb(args.data, names=args.sequences,
                    zero_based=args.zero_based)
  every = range(1, args.every + 1)
  for video in videos:
    for n in every:
      parts(video, n, args.starts)
  print(row(['success AUC', *(f'every {n}' for n in every)]))
  print(row(['---'] * (1 + len(every))))
  found = []
  for number, video in enumerate(videos):
    frames = [read_image(path) for path in video.frames]
    if args.look_alike:
      frames = look_alike.beside(frames, video.boxes_xywh, number)
    found.append([auc(tracker, video, frames, n, args.starts) for n in every])
    print(_line(video.name, found[-1]), flush=True)
  print(_line('mean', np.mean(found, 0)))


def _tracker(args: argparse.Namespace) -> SingleTracker:
  if not args.peer:
    if args.models:
      raise UserError('--models: is of --peer; give that as well')
    return load_tracker(args.weights, long_term=args.long_term,
                        **parse_tracking(args.tracking))
  if args.weights or args.tracking or args.long_term:
    raise UserError('--weights, --tracking and --long_term are of our tracker; '
                    'leave them out, or --peer')
  found = find_trackers(Path(args.models) if args.models else None, [args.peer])
  for name, why in found.missing.items():
    raise UserError(f'--peer {name}: {why}; see docs/performance.md')
  return found.trackers[args.peer]


def auc(tracker: SingleTracker, video: Video, frames: list[np.ndarray],
        every: int, starts: int) -> float:
  """Mean over the beginnings.

  Args:
    tracker: of one target.
    video: the sequence.
    frames: all of its frames, [h, w, 3] uint8.
    every: how many frames a step takes.
    starts: beginnings, from the first frame to four fifths at most.
  """
  scores = []
  for begin in parts(video, every, starts):
    boxes_xywh = video.boxes_xywh[begin::every]
    tracker.init(frames[begin], boxes_xywh[0])
    boxes = [boxes_xywh[0], *(
        tracker.update(frame)[1] for frame in frames[begin + every::every])]
    scores.append(otb_score(np.array(boxes), boxes_xywh, video.origin
                            ).success_auc)
  return float(np.mean(scores))


def parts(video: Video, every: int, starts: int) -> list[int]:
  """The first frames of the parts.

  Raises:
    UserError: too few frames, or a beginning without a box.
  """
  step = len(video) / max(starts, 5)
  begins = [int(k * step) for k in range(starts)]
  for begin in begins:
    boxes_xywh = video.boxes_xywh[begin::every]
    if len(boxes_xywh) < _FEWEST or not ope.valid_boxes(boxes_xywh[:1]).all():
      raise UserError(
          f'sequence {video.name}, frame {begin + 1}: expected a box, and '
          f'{_FEWEST} frames from there on, every {every}; leave it out by '
          '--sequences, or give fewer --starts or a smaller --every')
  return begins


def _line(name: str, values: np.ndarray | list[float]) -> str:
  return row([name, *(f'{value:.3f}' for value in values)])


if __name__ == '__main__':
  sys.exit(execute(
      sys.modules[__name__], prog='python -m perf.faster_targets'))
