"""A small network whose boxes move, and short videos to track in."""

import functools

import jax
import numpy as np

from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.models.siamkpn import SiamKPN, abstract_variables
from siamkpn_jax.tracking import functional
from siamkpn_jax.tracking.decode import DecodeConfig
from siamkpn_jax.tracking.packed import update_packed
from siamkpn_jax.tracking.tracker import Tracker
from tests.reference import tracking as reference

SMALL = {'arch': 'resnet10', 'width': 4, 'channels': 8, 'num_stages': 2,
         'head_sharing': 'shared', 'levels': ('layer2', 'layer3')}
CONFIG = DecodeConfig(**reference.SETTINGS)
FRAMES = 6
# Of the maps on a real crop: heatmap logits, offsets x and y, size w and h.
MEANS, SPREADS = (-2, 0, 0, 80, 60), (2, 0.2, 0.2, 25, 20)


@functools.cache
def small_network():
  """A network with random weights whose maps look like a trained one's."""
  model = SiamKPN(**SMALL)
  rng = np.random.default_rng(0)

  def draw(path, leaf):
    name = path[-1].key
    if name == 'kernel':
      spread = np.prod(leaf.shape[:-1])**-0.5
      value = rng.normal(0, spread, leaf.shape)
    elif name in ('scale', 'var'):
      value = rng.uniform(0.5, 1.5, leaf.shape)
    else:  # bias, mean, level weights
      value = rng.normal(0, 0.5, leaf.shape)
    return value.astype(np.float32)

  variables = jax.tree.map_with_path(draw, abstract_variables(model))
  variables['params']['backbone']['conv1']['conv']['kernel'] /= 100  # 0..255
  frames, _ = video()
  crop = lambda frame, output: reference.crop(
      frame, (80, 60), output, output, [100] * 3)
  maps = predict(model, variables, crop(frames[0], 127), crop(frames[1], 255))
  flat = np.concatenate([m.reshape(961, -1) for m in maps], axis=1)
  zoom = (SPREADS / flat.std(0)).astype(np.float32)
  head = variables['params']['head']
  for level in SMALL['levels']:
    out = head[f'{level}_shared_stage2']['predict_out']
    out['kernel'] *= zoom
    out['bias'] = np.float32((out['bias'] - flat.mean(0)) * zoom + MEANS)
  return model, variables


def compiled_programs():
  """How many the tracker's functions have by now."""
  return (functional.init.jitted._cache_size(),
          update_packed.jitted._cache_size())


@functools.cache
def video(index=0, size=(160, 120)):
  scene = Scene(7, index, size=size, length=FRAMES)
  return [scene.render(t)[0] for t in range(FRAMES)], scene.box(0)


@functools.partial(jax.jit, static_argnums=0)
def forward(model, variables, z, x):
  """The last stage's maps of two crops."""
  return model.apply(variables, z[None].astype(np.float32),
                     x[None].astype(np.float32), train=False)[-1]


def predict(model, variables, z, x):
  """Heatmap [31, 31], offsets and size [31, 31, 2]."""
  maps = jax.device_get(forward(model, variables, z, x))
  return maps.heatmap[0, ..., 0], maps.offsets[0], maps.size[0]


def new_tracker(config=CONFIG, **kwargs):
  return Tracker(*small_network(), config, **kwargs)


def run(tracker, frames, box):
  tracker.init(frames[0], box)
  return np.array([tracker.update(frame)[1] for frame in frames[1:]])
