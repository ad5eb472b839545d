"""Tracking on a GPU: one target and many, with and without the host's part."""

import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from perf import costs
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core import geometry
from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.models.siamkpn import build_model, init_variables
from siamkpn_jax.tracking import functional
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.decode import Hyperparameters
from siamkpn_jax.tracking.functional import SearchInput
from siamkpn_jax.tracking.load import decode_config
from siamkpn_jax.tracking.tracker import Tracker

Work = tuple[str, float, Callable[[], dict[str, Any]]]

_FRAMES = 20  # decoded frames, 640 x 480


def plan(tiny: bool) -> Iterator[Work]:
  """(name, seconds, measurement) of each."""
  for name, dtype in (('kpn3s', 'bfloat16'), ('kpn3s_nano', 'float32'),
                      ('kpn3s', 'float32'), ('kpn3s_nano', 'bfloat16')):
    network = functools.cache(functools.partial(_network, name, dtype, tiny))
    yield (f'{name} {dtype}, one target', 30,
           lambda network=network: one_target(*network(), tiny))
    for slots in (64, 8):
      yield (f'{name} {dtype}, {slots} slots', 30,
             lambda network=network, slots=slots: many_targets(
                 *network(), slots, tiny))
  yield 'kpn3s, GPU against CPU', 60, lambda: difference(tiny)


def _network(name: str, dtype: str, tiny: bool) -> tuple[Config, Any]:
  """Configuration and variables; kpn3s with random ones."""
  if name == 'kpn3s_nano':
    config, variables = load_model(find_weights(name))
    return config.updated(model={'dtype': dtype}), variables
  config = kpn3s(tiny).updated(model={'dtype': dtype})
  return config, init_variables(build_model(config.model), 0)


def kpn3s(tiny: bool) -> Config:
  """The default configuration, or a small one of its kind."""
  config = Config()
  return config.updated(model={
      'arch': 'resnet10', 'width': 8, 'channels': 8,
      'levels': ('layer3',)}) if tiny else config


@functools.cache
def _video() -> tuple[list[np.ndarray], np.ndarray]:
  """Decoded frames, and a box in the first one."""
  scene = Scene(seed=0, index=0, size=(640, 480))
  return ([scene.render(t)[0] for t in range(_FRAMES)], scene.render(0)[1])


def one_target(config: Config, variables: Any, tiny: bool) -> dict[str, Any]:
  """`Tracker.update` on decoded frames, and the jitted part of it."""
  frames, box_xywh = _video()
  start = time.perf_counter()
  tracker = Tracker(build_model(config.model), variables,
                    decode_config(config))
  tracker.init(frames[0], box_xywh)
  tracker.update(frames[1])
  first = time.perf_counter() - start
  rates = []
  for _ in range(2 if tiny else 10):
    start = time.perf_counter()
    for frame in frames:
      tracker.update(frame)
    rates.append(len(frames) / (time.perf_counter() - start))
  return {'first box, s': first} | spread('frames/s', rates) | (
      device_only(config, variables, 1, tiny))


def many_targets(config: Config, variables: Any, slots: int,
                 tiny: bool) -> dict[str, Any]:
  """`BatchTracker.update`: targets of one video, and the jitted part of it."""
  slots = min(slots, 4) if tiny else slots
  frames, box_xywh = _video()
  tracker = BatchTracker(build_model(config.model), variables,
                         decode_config(config), slots=slots)
  rng = np.random.default_rng(0)
  for _ in range(slots):
    tracker.add(frames[0], np.add(box_xywh, [*rng.uniform(-40, 40, 2), 0, 0]))
  tracker.update(frames[1])
  rates = []
  for _ in range(2 if tiny else 5):
    start = time.perf_counter()
    for frame in frames:
      tracker.update(frame)
    rates.append(slots * len(frames) / (time.perf_counter() - start))
  return spread('targets/s', rates) | device_only(
      config, variables, slots, tiny, profile=slots == 64)


def device_only(config: Config, variables: Any, slots: int, tiny: bool, *,
                profile: bool = False) -> dict[str, Any]:
  """The jitted update of targets whose crops are on the device."""
  model, decode = build_model(config.model), decode_config(config)
  rng = np.random.default_rng(0)
  crops = lambda side: rng.integers(
      0, 256, (slots, side, side, 3)).astype(np.uint8)
  center = np.full((slots, 2), 240, np.float32)
  size = np.full((slots, 2), 60, np.float32)
  state = functional.init(variables, crops(geometry.TEMPLATE_SIZE), center,
                          size, model=model)
  search, numbers, state, variables = jax.device_put((
      SearchInput(crops(geometry.SEARCH_SIZE), np.ones(slots, np.float32),
                  np.full((slots, 2), 480, np.float32)),
      Hyperparameters(*(np.full(slots, value, np.float32) for value in (
          decode.penalty_k, decode.window_influence, decode.size_lr,
          decode.threshold))), state, variables))
  update = jax.jit(functools.partial(
      functional.update, model=model, rule=decode.rule))
  compiled = update.lower(variables, state, search, numbers).compile()

  def steps(count: int) -> None:
    now = state
    for _ in range(count):
      now, _ = compiled(variables, now, search, numbers)
    jax.block_until_ready(now)

  steps(2)
  count, rates = 3 if tiny else 30, []
  for _ in range(2 if tiny else 7):
    start = time.perf_counter()
    steps(count)
    rates.append(count * slots / (time.perf_counter() - start))
  result = spread('device alone, targets/s', rates)
  flops = compiled.cost_analysis()
  if flops and flops.get('flops'):
    result['TFLOP/s'] = float(
        np.median(rates) / slots * flops['flops'] / 1e12)
  if profile:
    with tempfile.TemporaryDirectory() as folder:
      result['profile'] = costs.table(
          costs.profile(Path(folder), lambda: steps(5)), compiled, 15)
  return result


def spread(name: str, values: list[float]) -> dict[str, Any]:
  """Median and quartiles."""
  low, middle, high = np.percentile(values, (25, 50, 75))
  return {name: float(middle),
          f'{name}, quartiles': f'{low:.4g} to {high:.4g}'}


def difference(tiny: bool) -> dict[str, Any]:
  """The maps of kpn3s in float32, GPU against CPU, of the largest value."""
  config, variables = _network('kpn3s', 'float32', tiny)
  model = build_model(config.model)
  rng = np.random.default_rng(0)
  z, x = (rng.integers(0, 256, (1, side, side, 3)).astype(np.float32)
          for side in (geometry.TEMPLATE_SIZE, geometry.SEARCH_SIZE))

  def maps(device: jax.Device, precision: str | None) -> Any:
    with jax.default_matmul_precision(precision or 'default'):
      run = jax.jit(lambda v, z, x: model.apply(v, z, x, train=False)[-1])
      return jax.device_get(run(*jax.device_put((variables, z, x), device)))

  gpu, cpu = jax.devices()[0], jax.devices('cpu')[0]
  reference, result = maps(cpu, None), {}
  for precision in (None, 'highest'):
    for kind, a, b in zip(('heatmap', 'offsets', 'size'), jax.tree.leaves(
        maps(gpu, precision)), jax.tree.leaves(reference), strict=True):
      result[f'{kind}, precision {precision or "as is"}'] = float(
          np.abs(a - b).max() / np.abs(b).max())
  return result
