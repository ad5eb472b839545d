"""Networks, frames and batches to measure with, made without compiling.

XLA takes minutes on a GPU to compile what makes random weights, and rendering
a batch takes the host as long.
"""

import functools
from typing import Any

import cv2
import jax
import numpy as np

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.config.settings import Config
from siamkpn_jax.models.siamkpn import SiamKPN, abstract_variables, build_model

_FRAMES = 20


@functools.cache
def network(name: str, dtype: str, tiny: bool) -> tuple[Config, Any]:
  """Configuration and variables: packaged, or of kpn3s random ones.

  Args:
    name: 'kpn3s' or a packaged model.
    dtype: of the computation.
    tiny: a small network instead of kpn3s.
  """
  if name != 'kpn3s':
    config, variables = load_model(find_weights(name))
    return config.updated(model={'dtype': dtype}), variables
  config = Config().updated(model={'dtype': dtype})
  if tiny:
    config = config.updated(model={
        'arch': 'resnet10', 'width': 8, 'channels': 8, 'levels': ('layer3',)})
  return config, random_variables(build_model(config.model))


def random_variables(model: SiamKPN) -> dict[str, Any]:
  """Kernels that keep the scale of what they take, and biases of 0.

  The rest is as from `model.init`.
  """
  rng = np.random.default_rng(0)
  def draw(path: Any, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
    if len(leaf.shape) > 1:  # [..., outputs]
      values = rng.standard_normal(leaf.shape, np.float32)
      return values / np.sqrt(np.float32(np.prod(leaf.shape[:-1])))
    zeros = path[-1].key in {'bias', 'mean'}
    return np.full(leaf.shape, not zeros, np.float32)
  return jax.tree_util.tree_map_with_path(draw, abstract_variables(model))


@functools.cache
def video() -> tuple[list[np.ndarray], np.ndarray]:
  """Decoded frames [480, 640, 3] of noise with a moving square, and its box."""
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (480, 640, 3), np.uint8)
  square = cv2.resize(rng.integers(0, 256, (8, 8, 3), np.uint8), (64, 64))
  frames = []
  for t in range(_FRAMES):
    frame = noise.copy()
    frame[200 + t:264 + t, 240 + 3 * t:304 + 3 * t] = square
    frames.append(frame)
  return frames, np.array([240.0, 200.0, 64.0, 64.0])


def noise_batch(shapes: dict[str, jax.ShapeDtypeStruct]) -> dict[str, Any]:
  """A batch whose patches are noise around targets of 60 x 60 pixels.

  Args:
    shapes: see `throughput.abstract_batch`.
  """
  rng = np.random.default_rng(0)
  def draw(name: str, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
    if leaf.dtype == np.uint8:
      return rng.integers(0, 256, leaf.shape, np.uint8)
    if name == 'index':
      return np.arange(leaf.shape[0], dtype=leaf.dtype)
    return np.full(leaf.shape, 60 * name.endswith('_wh'), leaf.dtype)
  return {name: draw(name, leaf) for name, leaf in shapes.items()}
