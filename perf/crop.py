"""Where to crop: on the host by OpenCV, or on the device from the whole frame.

  python -m perf.crop

Times, alternately in one run, what one frame costs until its 255-pixel search
crop is on the device: (a) OpenCV on the host, then the transfer of the crop;
(b) the transfer of the frame, then a jitted bilinear resampling, which has to
be compiled again for every frame size. Ratios of the medians are printed.
"""

import argparse
import sys

import jax
import jax.numpy as jnp
import numpy as np

from perf.turns import take_turns, timed
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core.geometry import SEARCH_SIZE
from siamkpn_jax.tracking.crop import crop_square
from siamkpn_jax.training.augment import resample

_SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080))
_TARGET_SIDE = 0.4  # of the search region, over the frame's height


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--rounds', type=whole(1), default=40, help='Of each way, in turns.')


@jax.jit
def _device_crop(frame: jax.Array, center: jax.Array,
                 side: jax.Array) -> jax.Array:
  window = jnp.broadcast_to(side, (2,))
  return resample(frame.astype(jnp.float32), window, center, SEARCH_SIZE)


def run(args: argparse.Namespace) -> None:
  """Prints one line per frame size."""
  jax.config.update('jax_enable_compilation_cache', False)  # compiling is timed
  rng = np.random.default_rng(0)
  fill = np.zeros(3, np.uint8)
  print('frame      device/host  host ms  device ms  device compile s')
  for width, height in _SIZES:
    frame = rng.integers(0, 256, (height, width, 3), np.uint8)
    center = np.asarray([width / 2, height / 2], np.float32)
    side = _TARGET_SIDE * height

    def host(frame=frame, center=center, side=side):
      return jax.device_put(
          crop_square(frame, center, side, SEARCH_SIZE, fill))

    def device(frame=frame, center=center, side=side):
      return _device_crop(jax.device_put(frame), center, np.float32(side))

    compiled = timed(device)
    times = take_turns({'host': lambda way=host: timed(way),
                        'device': lambda way=device: timed(way)},
                       args.rounds)
    host_ms, device_ms = (1e3 * np.median(times[name]) for name in times)
    print(f'{width:4d}x{height:<5d} {device_ms / host_ms:11.1f} '
          f'{host_ms:8.3f} {device_ms:10.3f} {compiled:17.2f}')


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.crop'))
