"""Whether a network sees that the box has become too large or too small.

  python -m perf.size_feedback --data DIR

A tracker scales its search crop by the size it believes in. When that is wrong
by a factor, the target appears larger or smaller in the crop, and the network
should say so: a feedback of 1 corrects the size at once, one of 0 means that
the network says the usual size whatever it sees, so that errors add up from
frame to frame. Measured on annotated frames, crops centered on the annotated
box, with sizes that are wrong by 1/1.4 and by 1.4; the prediction is that of
the cell at the center.
"""

import argparse
import sys
from collections.abc import Sequence

import jax
import numpy as np

from perf.sequences import add_sequence_flags
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core import geometry
from siamkpn_jax.core.images import read_image
from siamkpn_jax.evaluation.formats.sequences import Video, load_otb
from siamkpn_jax.evaluation.metrics.ope import valid_boxes
from siamkpn_jax.models.siamkpn import SiamKPN, build_model
from siamkpn_jax.tracking.crop import (
    search_crop,
    search_scale,
    template_input,
)

WRONG = 1.4  # factor of the size


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  add_sequence_flags(parser)
  parser.add_argument(
      '--weights', help='Default: those in the package.')
  parser.add_argument(
      '--frames', type=whole(1), default=10,
      help='Of each sequence, evenly spread.')


_MIDDLE = geometry.MAP_SIZE // 2


def run(args: argparse.Namespace) -> None:
  """Measures and prints a line per sequence."""
  config, variables = load_model(find_weights(args.weights))
  model = build_model(config.model)

  @jax.jit
  def template(z: jax.Array) -> jax.Array:
    return model.apply(variables, z[None].astype(np.float32), train=False,
                       method=SiamKPN.template)

  @jax.jit
  def size(template: jax.Array, x: jax.Array) -> jax.Array:
    maps = model.apply(variables, template, x[None].astype(np.float32),
                       train=False, method=SiamKPN.search)
    return maps[-1].size[0, _MIDDLE, _MIDDLE]

  def ratios(video: Video) -> np.ndarray:
    """[n, 3, 2] log of predicted / true width and height, in crop pixels."""
    first = template_input(read_image(video.frames[0]),
                           video.boxes_xywh[0])
    kernels = template(first.crop)
    known = np.flatnonzero(valid_boxes(video.boxes_xywh))
    chosen = known[np.linspace(0, len(known) - 1, args.frames).astype(int)]
    found = []
    for k in chosen:
      frame, box = read_image(video.frames[k]), video.boxes_xywh[k]
      for wrong in (1 / WRONG, 1, WRONG):
        scale = search_scale(wrong * box[2:])
        crop = search_crop(
            frame, box[:2] + (box[2:] - 1) / 2, scale, first.fill)
        found.append(np.log(np.maximum(size(kernels, crop), 1) /
                            (scale * box[2:])))
    return np.array(found).reshape(-1, 3, 2)

  rows = []
  print('                      feedback of    error at the\n'
        'sequence           width   height    right size')
  for video in load_otb(args.data, zero_based=args.zero_based):
    rows.append(summarize(ratios(video)))
    print(_line(video.name, rows[-1]))
  print(_line('mean', np.mean(rows, axis=0)))


def _line(name: str, row: Sequence[float]) -> str:
  width, height, error = row
  return f'{name:18} {width:5.2f} {height:8.2f} {error:12.0%}'


def summarize(log: np.ndarray) -> np.ndarray:
  """Feedback of width and height, and the relative error at the right size.

  Args:
    log: [n, 3, 2] log of predicted / true width and height, where the tracker
      believes in a size that is too small by `WRONG`, right, and too large.

  Returns:
    [3] medians over the n.
  """
  slope = (log[:, 2] - log[:, 0]) / (2 * np.log(WRONG))
  error = np.expm1(np.median(np.abs(log[:, 1])))
  return np.array([*np.median(1 - slope, axis=0), error])


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.size_feedback'))
