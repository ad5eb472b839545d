r"""Tracks objects in a video, images, a camera or a stream.

  siamkpn track in.mp4 --box 100,50,40,80 --output out.mp4 --boxes out.csv

Uses the packaged model unless --weights is given. Without --box, a window opens
to draw boxes in; without --output and --boxes, it writes IN_tracked.mp4 and
IN_tracked.csv in the current folder.
"""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.cli import track_outputs
from siamkpn_jax.cli.parser import Parser, Switch, real, whole
from siamkpn_jax.cli.tracker_flags import (
    add_tracking_argument,
    add_weights_argument,
)
from siamkpn_jax.config.overrides import parse_tracking
from siamkpn_jax.core import numbers
from siamkpn_jax.core.announce import announced
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.engines import (
    ENGINES,
    PRECISIONS,
    choose_engine,
    precision_note,
)

if TYPE_CHECKING:
  from siamkpn_jax.tracking.given_boxes import GivenBox
  from siamkpn_jax.tracking.track_files import Outputs, TrackSummary
  from siamkpn_jax.tracking.video import FrameSource

_LOADING = {'float32': 'loading the tracker',
            'int8': 'quantizing the network'}


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      'video', metavar='VIDEO', nargs='?', default='',
      help="Video file, folder of images, pattern of images ('frames/*.jpg'), "
      'camera index or /dev/videoN (Ctrl-C ends a camera), or URL of a stream.')
  parser.add_argument(
      '--input', help='VIDEO as a flag; default: none.')
  parser.add_argument(
      '--box', action='append', metavar='X,Y,W,H',
      help='Box of an object in the first frame: left,top,width,height in '
      'pixels; once for each object; default: draw them in a window.')
  parser.add_argument(
      '--boxes_from',
      help='File of boxes instead: CSV, JSON or MOT text, with the frames in '
      'which they start if wanted (docs/tracking.md); default: none.')
  parser.add_argument(
      '--start_frame', type=whole(1), default=1,
      help='Number of the first frame to track in, and of that of --box.')
  add_weights_argument(parser)
  add_tracking_argument(parser)
  parser.add_argument(
      '--long_term', action=Switch, default=False,
      help='Let the tracker lose the object, and search for it '
      '(docs/tracking.md).')
  parser.add_argument(
      '--engine', choices=ENGINES, default=ENGINES[0],
      help='What runs the network; auto: the faster one on a CPU, of those '
      'that are installed, else JAX.')
  parser.add_argument(
      '--precision', choices=PRECISIONS, default=PRECISIONS[0],
      help='int8: faster in ONNX Runtime, with other boxes '
      '(docs/tracking.md).')
  parser.add_argument(
      '--timeout', type=real(0.1), default=10.0,
      help='Seconds to wait for a camera or stream that sends nothing.')
  track_outputs.add_arguments(parser)
  parser.add_argument(
      '--quiet', action=Switch, default=False, help='Show no progress.')


def run(args: argparse.Namespace) -> None:
  """Tracks as the flags say; the cheap checks come before the weights."""
  if args.video and args.input:
    raise UserError(f'--input {args.input}: VIDEO {args.video} is given as '
                    'well; expected one of them')
  video = args.video or args.input or ''
  if not video:
    raise UserError('missing VIDEO: expected a video file, a folder or pattern '
                    'of images, a camera index or a URL')
  with track_outputs.chosen(args, video) as outputs:
    _track(args, video, outputs)


def _track(args: argparse.Namespace, video: str, outputs: 'Outputs') -> None:
  from siamkpn_jax.tracking.follow import check_boxes
  from siamkpn_jax.tracking.video import open_frames

  given = [parse_box(text) for text in args.box or ()]
  if given and args.boxes_from:
    raise UserError('--boxes-from: --box is given as well; expected one of '
                    'them: add the box to the file')
  if args.heatmaps or args.precision != PRECISIONS[0]:  # before a window opens
    choose_engine(args.engine, every_stage=bool(args.heatmaps),
                  precision=args.precision, flags=True)
  weights = find_weights(args.weights)
  with open_frames(video, start=args.start_frame, timeout=args.timeout
                   ) as source:
    boxes = _boxes(args, given, source)
    check_boxes(boxes, source)
    track_outputs.check(outputs, len(boxes))
    with track_outputs.shown(args, outputs) as wanted:
      # Late: a wrong box shows before the slow imports of the model.
      from siamkpn_jax.tracking.load import load_for_targets
      from siamkpn_jax.tracking.track_files import track_to_files
      with (contextlib.nullcontext() if args.quiet else
            announced(_LOADING[args.precision])):
        tracker = load_for_targets(
            weights, len(boxes), engine=args.engine,
            precision=args.precision, every_stage=args.heatmaps,
            long_term=args.long_term, **parse_tracking(args.tracking))
      for note in [*source.notes, *_doubts(boxes, source),
                   *filter(None, [precision_note(args.precision)])]:
        print(f'note: {note}', file=sys.stderr)
      summary = track_to_files(tracker, source, boxes, wanted,
                               progress=not args.quiet)
  track_outputs.report(outputs)
  _report(summary, source, boxes)


def parse_box(text: str) -> tuple[float, float, float, float]:
  """'x,y,w,h' -> four numbers; UserError if it is something else."""
  try:
    left, top, width, height = map(numbers.real, text.split(','))
  except ValueError:
    raise UserError(f'--box {text!r}: expected four numbers left,top,width,'
                    'height in pixels, such as --box 100,50,40,80') from None
  return left, top, width, height


def _boxes(args: argparse.Namespace,
           given: list[tuple[float, float, float, float]],
           source: 'FrameSource') -> 'list[GivenBox]':
  from siamkpn_jax.tracking.callers_boxes import starts
  from siamkpn_jax.tracking.given_boxes import GivenBox, read_boxes

  if args.boxes_from:
    path = Path(args.boxes_from)
    return starts(
        read_boxes(path, source.count, source.size, source.rate),
        args.start_frame, path)
  if given:
    return [GivenBox(None, number, box)
            for number, box in enumerate(given, start=1)]
  from siamkpn_jax.tracking.window import draw_boxes
  return draw_boxes(source.first)


def _doubts(boxes: 'list[GivenBox]', source: 'FrameSource') -> Iterator[str]:
  """What may be wrong with boxes that can be followed, in words."""
  from siamkpn_jax.tracking.choice import MIN_SIDE

  for box in (given.box_xywh for given in boxes):
    text = ','.join(f'{value:g}' for value in box)
    if min(box[2:]) < MIN_SIDE:
      yield (f'box {text}: small; the tracker\'s boxes are at least '
             f'{MIN_SIDE:g} pixels wide and high')
    box_xywh = np.array(box)
    corners = np.stack([box_xywh[:2], box_xywh[:2] + box_xywh[2:]])
    seen = np.prod(np.diff(np.clip(corners, 0, source.size), axis=0))
    share = seen / np.prod(box_xywh[2:])
    if share < 0.5:
      yield (f'box {text}: only {share:.0%} of it lies in the '
             f'{source.size[0]}x{source.size[1]} frame; expected '
             'left,top,width,height')
  if source.number > source.start:
    yield (f'{source.name}: {source.number - source.start} frames at the start '
           f'cannot be decoded; --box is taken for frame {source.number}')


def _report(summary: 'TrackSummary', source: 'FrameSource',
            boxes: 'list[GivenBox]') -> None:
  """Says how it went: the sum on stdout, what is odd on stderr."""
  speed = f', {summary.fps:.1f} frames/s' if summary.fps else ''
  lost = (f', {"the target" if len(boxes) == 1 else "a target"} lost in '
          f'{summary.lost}' if summary.lost else '')
  damage = (f', {summary.undecoded} of them could not be decoded (nan)'
            if summary.undecoded else '')
  print(f'{summary.frames} frames{speed}{lost}{damage}')
  for note in _oddities(summary, source, boxes):
    print(f'note: {source.name}: {note}', file=sys.stderr)


def _oddities(summary: 'TrackSummary', source: 'FrameSource',
              boxes: 'list[GivenBox]') -> Iterator[str]:
  read = summary.frames - summary.undecoded
  reader = source.reader
  wanted = None if source.count is None else source.count - source.start + 1
  if reader and reader.hung:
    yield 'sent no more frames; what was tracked before is kept'
  elif wanted is not None and summary.frames < wanted and (
      not summary.stopped):
    yield (f'{read} of {wanted} announced frames could be read; the file may '
           'be cut off')
  elif summary.undecoded:
    yield (f'damaged; {summary.undecoded} of {summary.frames} frames could not '
           'be decoded: their lines in the boxes are nan, the other lines are '
           'those of their frames')
  if reader and reader.dropped:
    yield (f'{reader.dropped} frames dropped, which came while the tracker was '
           'busy')
  late = [box.id for box in boxes if (box.frame or 0) > summary.last]
  if late:
    yield (f'ended at frame {summary.last}, before the targets '
           f'{", ".join(map(str, late))} begin')
