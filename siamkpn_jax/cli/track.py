r"""Tracks an object in a video, a folder of images or a camera stream.

  python -m siamkpn_jax.track --input in.mp4 --box 100,50,40,80 \
    --output out.mp4 --boxes out.txt

Uses the packaged model unless --weights is given.
"""

import argparse
import contextlib
import sys
from pathlib import Path

import numpy as np

from siamkpn_jax.checkpoints.packaged import DEFAULT, find_weights
from siamkpn_jax.cli.parser import Parser, Switch, real
from siamkpn_jax.config.overrides import parse_tracking
from siamkpn_jax.core.announce import announced
from siamkpn_jax.core.atomic_io import check_distinct, check_output
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.engines import ENGINES

_LONG = 2.0  # seconds; the first time, a network may be exported


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--input', required=True,
      help='Video file, folder of images, or camera index (stop a camera with '
      'Ctrl-C).')
  parser.add_argument(
      '--box', required=True,
      help='Box of the object in the first frame: left,top,width,height in '
      'pixels.')
  parser.add_argument(
      '--weights',
      help='Checkpoint or .safetensors file of the tracker, or the name of a '
      f'packaged model; default: {DEFAULT}.')
  parser.add_argument(
      '--tracking', default='',
      help="Override the checkpoint's tracking hyperparameters: "
      'penalty_k=0.1,... (docs/tracking.md).')
  parser.add_argument(
      '--engine', choices=ENGINES, default=ENGINES[0],
      help='What runs the network; auto: the faster one on a CPU, of those '
      'that are installed, else JAX.')
  parser.add_argument(
      '--output', help='Video to write with the box drawn in, .mp4 or .avi.')
  parser.add_argument(
      '--boxes', help='Text file to write, one line x,y,w,h per frame.')
  parser.add_argument(
      '--fps', type=real(),
      help='Frame rate of --output; default: that of the input, or 25 for a '
      'folder.')
  parser.add_argument(
      '--quiet', action=Switch, default=False, help='Show no progress.')


def run(args: argparse.Namespace) -> None:
  """Tracks as the flags say; the cheap checks come before the weights."""
  from siamkpn_jax.core.boxes import check_box
  from siamkpn_jax.tracking.follow import track_video
  from siamkpn_jax.tracking.video import browsers_play, open_frames

  video_path, boxes_path = _output_paths(args)
  given_box = parse_box(args.box or '')
  weights = find_weights(args.weights)
  with open_frames(args.input or '') as source:
    box_xywh = check_box(given_box, *source.size)
    # Late: a wrong box shows before the slow imports of the model.
    from siamkpn_jax.tracking.choice import MIN_SIDE
    from siamkpn_jax.tracking.load import load_tracker
    with (contextlib.nullcontext() if args.quiet else
          announced('loading the tracker', after=_LONG)):
      tracker = load_tracker(weights, engine=args.engine,
                             **parse_tracking(args.tracking))
    notes = [*source.notes, *_doubts(box_xywh, source.size, MIN_SIDE)]
    if source.number > 1:
      notes.append(
          f'{source.name}: {source.number - 1} frames at the start cannot be '
          f'decoded; --box is taken for frame {source.number}')
    for note in notes:
      print(f'note: {note}', file=sys.stderr)
    summary = track_video(tracker, source, box_xywh, video_path=video_path,
                          boxes_path=boxes_path, fps=args.fps,
                          progress=not args.quiet)
  for path in filter(None, (video_path, boxes_path)):
    print(f'wrote {path}')
  if video_path and not browsers_play(video_path):
    print('browsers do not play this video (MPEG-4 part 2); for H.264, write '
          "an .mp4 after: pip install 'siamkpn_jax[video]'")
  speed = f', {summary.fps:.1f} frames/s' if summary.fps else ''
  lost = (f', {summary.lost} of them could not be decoded (nan)'
          if summary.lost else '')
  print(f'{summary.frames} frames{speed}{lost}')
  read = summary.frames - summary.lost
  if source.count is not None and summary.frames < source.count:
    print(f'note: {source.name}: {read} of {source.count} announced '
          'frames could be read; the file may be cut off', file=sys.stderr)
  elif summary.lost:
    print(f'note: {source.name}: damaged; {summary.lost} of {summary.frames} '
          'frames could not be decoded: their lines in the boxes are nan, the '
          'other lines are those of their frames', file=sys.stderr)


def parse_box(text: str) -> tuple[float, ...]:
  """'x,y,w,h' -> four numbers; UserError if it is something else."""
  try:
    left, top, width, height = (float(part) for part in text.split(','))
  except ValueError:
    raise UserError(f'--box {text!r}: expected four numbers left,top,width,'
                    'height in pixels, such as --box 100,50,40,80') from None
  return left, top, width, height


def _doubts(box_xywh: np.ndarray, size: tuple[int, int],
            min_side: float) -> list[str]:
  """What may be wrong with a box [4] that can be followed, in words."""
  text = ','.join(f'{value:g}' for value in box_xywh)
  notes = []
  if min(box_xywh[2:]) < min_side:
    notes.append(f'box {text}: small; the tracker\'s boxes are at least '
                 f'{min_side:g} pixels wide and high')
  corners = np.stack([box_xywh[:2], box_xywh[:2] + box_xywh[2:]])
  seen = np.prod(np.diff(np.clip(corners, 0, size), axis=0))
  share = seen / np.prod(box_xywh[2:])
  if share < 0.5:
    notes.append(f'box {text}: only {share:.0%} of it lies in the '
                 f'{size[0]}x{size[1]} frame; expected left,top,width,height')
  return notes


def _output_paths(
    args: argparse.Namespace) -> tuple[Path | None, Path | None]:
  from siamkpn_jax.core.images import SUFFIXES
  from siamkpn_jax.tracking.video import VIDEO_SUFFIXES, check_fps

  if not (args.output or args.boxes):
    raise UserError('nothing to write: add --output VIDEO or --boxes FILE')
  check_distinct({'--input': args.input, '--output': args.output,
                  '--boxes': args.boxes})
  for flag, path in (('--output', args.output), ('--boxes', args.boxes)):
    if (path and args.input and Path(path).suffix.lower() in SUFFIXES and
        Path(path).resolve().parent == Path(args.input).resolve()):
      raise UserError(f'{flag} {path}: may be a frame of the input; expected '
                      'no image there: choose another name')
  if args.fps is not None:
    check_fps(args.fps)
  return (check_output(args.output, '--output', suffixes=VIDEO_SUFFIXES),
          check_output(args.boxes, '--boxes'))
