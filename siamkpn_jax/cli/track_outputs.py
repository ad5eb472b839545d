"""What `siamkpn track` writes: its flags, its defaults, what can be wrong."""

import argparse
import contextlib
import dataclasses
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from siamkpn_jax.cli.parser import Parser, Switch, real
from siamkpn_jax.core.atomic_io import check_distinct, check_output
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import HeldError, target_lock
from siamkpn_jax.tracking.box_formats import SUFFIXES, boxes_format

if TYPE_CHECKING:
  from siamkpn_jax.tracking.track_files import Outputs


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--output', help='Video to write with the boxes drawn in, .mp4 or .avi.')
  parser.add_argument(
      '--boxes', help='File of boxes to write: .csv, .json, .xml (labels for '
      'CVAT), or .txt (x,y,w,h per frame of one target, MOT lines of '
      'several).')
  parser.add_argument(
      '--format', choices=tuple(SUFFIXES),
      help='Format of --boxes; default: by its suffix.')
  parser.add_argument(
      '--heatmaps', action=Switch, default=False,
      help="Inset the heatmaps of the cascade's stages in --output; JAX alone "
           'has them, the slower engine on a CPU.')
  parser.add_argument(
      '--show', action=Switch, default=False,
      help='Show the frames in a window while they are tracked; q ends it.')
  parser.add_argument(
      '--fps', type=real(),
      help='Frame rate of --output; default: the time stamps of the input, or '
      '25 for a folder.')


@contextlib.contextmanager
def chosen(args: argparse.Namespace, video: str) -> 'Iterator[Outputs]':
  """The files that are wanted, checked; other runs do not choose them.

  Raises:
    UserError: one that cannot be written, or must not.
  """
  output, boxes = args.output, args.boxes
  with contextlib.ExitStack() as stack:
    if output is None and boxes is None and not args.show:
      output, boxes = stack.enter_context(default_names(video, args.format))
    if not (output or boxes or args.show):
      raise UserError('nothing to write: add --output VIDEO or --boxes FILE')
    yield _checked(args, video, output, boxes)


def _checked(args: argparse.Namespace, video: str, output: str | None,
             boxes: str | None) -> 'Outputs':
  from siamkpn_jax.core.images import is_image
  from siamkpn_jax.tracking.track_files import Outputs
  from siamkpn_jax.tracking.video_writer import VIDEO_SUFFIXES, check_fps

  check_distinct({'--input': video, '--output': output, '--boxes': boxes,
                  '--boxes-from': args.boxes_from})
  for flag, path in (('--output', output), ('--boxes', boxes)):
    if (path and video and is_image(Path(path).name) and
        Path(path).resolve().parent in (Path(video).resolve(),
                                        Path(video).resolve().parent)):
      raise UserError(f'{flag} {path}: may be a frame of the input; expected '
                      'no image there: choose another name')
  if args.fps is not None:
    check_fps(args.fps)
  if args.heatmaps and not (output or args.show):
    raise UserError('--heatmaps: nothing to inset them in; add --output VIDEO')
  if args.format and not boxes:
    raise UserError(f'--format {args.format}: no boxes are written; add '
                    '--boxes FILE')
  return Outputs(check_output(output, '--output', suffixes=VIDEO_SUFFIXES),
                 check_output(boxes, '--boxes'), args.format, args.fps,
                 args.heatmaps, args.long_term)


@contextlib.contextmanager
def default_names(video: str, format: str | None = None
                  ) -> Iterator[tuple[str, str]]:
  """Names after that of the input, in this folder, which are not there yet.

  Nor are they those of another run, until the `with` block ends.
  """
  stem, suffix = _stem(video), SUFFIXES[format or 'csv']
  with contextlib.ExitStack() as stack:
    for number in itertools.count(1):
      mark = f'_{number}' if number > 1 else ''
      names = f'{stem}_tracked{mark}.mp4', f'{stem}_tracked{mark}{suffix}'
      if any(map(os.path.lexists, names)):
        continue
      check_output(names[1], '--boxes')  # or no lock can be held
      try:
        stack.enter_context(target_lock(Path(names[0]), '--output'))
      except HeldError:
        continue
      if not any(map(os.path.lexists, names)):  # by a run that just ended
        break
    yield names


def _stem(video: str) -> str:
  name = urlparse(video).path if '://' in video else video
  if re.search('[*?[]', name):  # a pattern: the folder that holds the images
    name = re.sub('/?[^/]*[*?[].*', '', name) or '.'
  stem = Path(os.path.abspath(name)).stem
  return f'camera{video}' if video.isdigit() else (
      re.sub(r'[^\w.-]', '_', stem) or 'video')


def check(outputs: 'Outputs', targets: int) -> None:
  """Checks that the format of the boxes is known and fits."""
  if outputs.boxes is not None:
    boxes_format(outputs.boxes, outputs.format, targets)


@contextlib.contextmanager
def shown(args: argparse.Namespace, outputs: 'Outputs') -> 'Iterator[Outputs]':
  """The outputs, with a window where one is wanted."""
  if not args.show:
    yield outputs
    return
  from siamkpn_jax.tracking.window import LiveView
  with LiveView() as view:
    yield dataclasses.replace(outputs, show=view.show)


def report(outputs: 'Outputs') -> None:
  """Names the files that were written."""
  from siamkpn_jax.tracking.video_writer import browsers_play

  for path in outputs.paths:
    print(f'wrote {path}')
  if outputs.video and not browsers_play(outputs.video):
    print('browsers do not play this video (MPEG-4 part 2); for H.264, write '
          "an .mp4 after: pip install 'siamkpn_jax[video]'")
