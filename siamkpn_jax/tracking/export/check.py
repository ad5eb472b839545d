"""Whether what was exported computes what JAX does, on rendered frames."""

from typing import Any, NamedTuple

import jax
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.tracking.crop import (
    search_crop,
    search_scale,
    template_input,
)
from siamkpn_jax.tracking.decode import DecodeConfig

# Of the largest value. In int8, rounding may be of two steps of 256 and more.
TOLERANCES = {'float32': 1e-4, 'float16': 1e-2, 'int8': 0.2}
_BATCH, _FRAME = 2, (320, 240)  # targets; width and height, pixels


class Sample(NamedTuple):
  """The first two frames of two targets.

  Attributes:
    first: [b, 127, 127, 3] uint8 template crops.
    second: [b, side, side, 3] uint8 search crops.
    center, size: [b, 2] of the boxes, frame pixels.
    scale: [b] crop pixels per frame pixel.
    frame_size: [b, 2] width and height, pixels.
    hyperparameters: [b] each.
  """

  first: np.ndarray
  second: np.ndarray
  center: np.ndarray
  size: np.ndarray
  scale: np.ndarray
  frame_size: np.ndarray
  hyperparameters: dict[str, np.ndarray]


def sample(config: DecodeConfig) -> Sample:
  """Rendered frames, cropped as the tracker does."""
  rows: list[tuple[Any, ...]] = []
  for index in range(_BATCH):
    scene = Scene(0, index, size=_FRAME)
    frame, box = scene.render(0)
    one = template_input(frame, box)
    scale = search_scale(one.size)
    crop = search_crop(scene.render(1)[0], one.center, scale, one.fill,
                       config.search_size)
    rows.append((one.crop, crop, one.center, one.size, np.float32(scale),
                 np.array(_FRAME, np.float32)))
  numbers = {name: np.full(_BATCH, value, np.float32) for name, value in
             vars(config.hyperparameters).items()}
  first, second, center, size, scales, frames = map(
      np.stack, zip(*rows, strict=True))
  return Sample(first, second, center, size, scales, frames, numbers)


class Errors:
  """The largest errors found.

  Attributes:
    found: name -> error, as a part of the largest value.
  """

  def __init__(self) -> None:
    self.found: dict[str, float] = {}

  def compare(self, name: str, got: Any, want: Any,
              tolerance: float = TOLERANCES['float32']) -> None:
    """Compares trees of arrays.

    Raises:
      UserError: JAX itself gives no finite numbers, or rounding is too coarse.
      RuntimeError: they differ.
    """
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(want),
                          strict=True):
      got, want = np.asarray(one), np.asarray(other)
      if not np.isfinite(want).all():
        raise UserError(f'weights: not exported, as their {name} on a rendered '
                        'frame is not finite; expected finite numbers: choose '
                        'another checkpoint')
      error = np.abs(got - want).max() / max(np.abs(want).max(), 1e-12)
      if not error <= tolerance:
        line = (f'not written: {name} of the exported program differs from '
                f'that of JAX by {error:.1e} of the largest value; expected at '
                f'most {tolerance}')
        if tolerance > TOLERANCES['float32']:  # no bug: others may be rounded
          raise UserError(f'{line}: these weights do not suit the precision; '
                          'export them in float32')
        raise RuntimeError(line)
      self.found[name] = max(float(error), self.found.get(name, 0.))
