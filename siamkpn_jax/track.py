"""Follows an object through a video, a folder of images or a camera.

python -m siamkpn_jax.track --input in.mp4 --box 100,50,40,80
--output out.mp4 --boxes out.txt
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

from siamkpn_jax import cli
from siamkpn_jax.checkpoints.packaged import DEFAULT, find_weights
from siamkpn_jax.core.atomic_io import check_distinct, check_output
from siamkpn_jax.core.boxes import check_box
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.follow import track_video
from siamkpn_jax.tracking.video import VIDEO_SUFFIXES, check_fps, open_frames

_INPUT = flags.DEFINE_string(
    'input', None, 'Video file, folder of images, or camera index (Ctrl-C ends '
    'a camera).')
_BOX = flags.DEFINE_string(
    'box', None, 'The object in the first frame, in pixels: left,top,width,'
    'height.')
_WEIGHTS = flags.DEFINE_string(
    'weights', None, 'Checkpoint or .safetensors file of the tracker, or the '
    f'name of a packaged model; default: {DEFAULT}.')
_TRACKING = flags.DEFINE_string(
    'tracking', '', "Other settings than the checkpoint's: penalty_k=0.1,... "
    '(docs/tracking.md).')
_OUTPUT = flags.DEFINE_string(
    'output', None, 'Video to write, .mp4 or .avi, with the box drawn in.')
_BOXES = flags.DEFINE_string(
    'boxes', None, 'Text file to write: a line x,y,w,h for each frame.')
_FPS = flags.DEFINE_float(
    'fps', None, 'Frames per second of --output; default: those of the input, '
    '25 for a folder.')


def main(argv: Sequence[str]) -> None:
  """Tracks as the flags say; the cheap checks come before the weights."""
  del argv
  video_path, boxes_path = _output_paths()
  given_box = parse_box(_BOX.value or '')
  weights = find_weights(_WEIGHTS.value)
  with open_frames(_INPUT.value or '') as source:
    box_xywh = check_box(given_box, *source.size)
    # Late: a wrong box shows before the slow imports of the model.
    from siamkpn_jax.tracking.tracker import load_tracker
    tracker = load_tracker(weights, _TRACKING.value)
    summary = track_video(tracker, source, box_xywh, video_path=video_path,
                          boxes_path=boxes_path, fps=_FPS.value)
  for path in filter(None, (video_path, boxes_path)):
    print(f'wrote {path}')
  speed = f', {summary.fps:.1f} frames/s' if summary.fps else ''
  print(f'{summary.frames} frames{speed}')
  if source.count is not None and summary.frames < source.count:
    print(f'note: {source.name} announces {source.count} frames, '
          f'{summary.frames} of them could be decoded')


def parse_box(text: str) -> np.ndarray:
  """'x,y,w,h' -> float64 [4]; UserError if it is not four numbers."""
  try:
    left, top, width, height = (float(part) for part in text.split(','))
  except ValueError:
    raise UserError(f'--box {text!r}: expected four numbers, left,top,width,'
                    f'height in pixels: --box 100,50,40,80') from None
  return np.array([left, top, width, height])


def _output_paths() -> tuple[Path | None, Path | None]:
  if not (_OUTPUT.value or _BOXES.value):
    raise UserError('nothing to write: give --output VIDEO or --boxes FILE')
  check_distinct({'--input': _INPUT.value, '--output': _OUTPUT.value,
                  '--boxes': _BOXES.value})
  if _FPS.value is not None:
    check_fps(_FPS.value)
  return (check_output(_OUTPUT.value, '--output', suffixes=VIDEO_SUFFIXES),
          check_output(_BOXES.value, '--boxes'))


if __name__ == '__main__':
  flags.mark_flags_as_required(['input', 'box'])
  cli.run(main)
