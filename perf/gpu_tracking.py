"""Tracking on a GPU: one target and many, with and without the host's part."""

import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from perf import costs, inputs, networks, turns
from perf.in_time import Figures
from perf.turns import quartiles
from siamkpn_jax.core import geometry
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.load import decode_config
from siamkpn_jax.tracking.packed import update_packed
from siamkpn_jax.tracking.tracker import Tracker
from siamkpn_jax.training import throughput


def one_target(name: str, dtype: str, tiny: bool) -> Iterator[Figures]:
  """`Tracker.update` on decoded frames, and the jitted part of it."""
  frames, box_xywh = inputs.video()
  config, variables = inputs.network(name, dtype, tiny)
  start = time.perf_counter()
  tracker = Tracker(build_model(config.model), variables,
                    decode_config(config))
  tracker.init(frames[0], box_xywh)
  tracker.update(frames[1])
  yield {'first box, s': time.perf_counter() - start}
  yield {'frames/s': _rates(tracker.update, 1, 2 if tiny else 10)}
  yield from _device_alone(tracker._batch, tiny)


def many_targets(name: str, dtype: str, slots: int,
                 tiny: bool) -> Iterator[Figures]:
  """`BatchTracker.update`: targets of one video, and the jitted part of it."""
  profile = slots == 64
  slots = min(slots, 4) if tiny else slots
  frames, box_xywh = inputs.video()
  config, variables = inputs.network(name, dtype, tiny)
  start = time.perf_counter()
  tracker = BatchTracker(build_model(config.model), variables,
                         decode_config(config), slots=slots)
  rng = np.random.default_rng(0)
  for _ in range(slots):
    tracker.add(frames[0], np.add(box_xywh, [*rng.uniform(-40, 40, 2), 0, 0]))
  tracker.update(frames[1])
  yield {'first boxes, s': time.perf_counter() - start}
  yield {'targets x frames/s': _rates(tracker.update, slots, 2 if tiny else 5)}
  yield from _device_alone(tracker, tiny, profile=profile)


def _rates(update: Callable[[np.ndarray], object], targets: int,
           rounds: int) -> dict[str, float]:
  """Targets times frames per second."""
  frames, _ = inputs.video()
  rates = []
  for _ in range(rounds):
    start = time.perf_counter()
    for frame in frames:
      update(frame)
    rates.append(targets * len(frames) / (time.perf_counter() - start))
  return quartiles(rates)


def _device_alone(tracker: BatchTracker, tiny: bool, *,
                  profile: bool = False) -> Iterator[Figures]:
  """The jitted update of a tracker that has tracked, its crops on the device.

  Args:
    tracker: every slot of it has a target.
    tiny: little of it.
    profile: also the largest costs.
  """
  frame = inputs.video()[0][-1]
  program, step = networks.compiled_step(tracker, frame)
  turns.timed(step, 2)
  rates = [tracker.slots / turns.timed(step, 3 if tiny else 30)
           for _ in range(2 if tiny else 7)]
  yield {'device alone, targets x frames/s': quartiles(rates)}
  static, given = networks.jitted_part(tracker, frame)
  flops = throughput.count_flops(
      functools.partial(update_packed, **static), *given)
  if flops:
    yield {'device alone, TFLOP/s':
           flops * float(np.median(rates)) / tracker.slots / 1e12}
  if profile:
    with tempfile.TemporaryDirectory() as folder:
      found = costs.profile(Path(folder), lambda: turns.timed(step, 5))
    yield {'profile of 5 updates': costs.rows(found, program, 15)}


def difference(tiny: bool) -> Iterator[Figures]:
  """The maps of kpn3s in float32, GPU against CPU, of the largest value."""
  config, variables = inputs.network('kpn3s', 'float32', tiny)
  model = build_model(config.model)
  rng = np.random.default_rng(0)
  z, x = (rng.integers(0, 256, (1, side, side, 3)).astype(np.float32)
          for side in (geometry.TEMPLATE_SIZE, geometry.SEARCH_SIZE))

  def maps(device: jax.Device) -> Any:
    run = jax.jit(lambda v, z, x: model.apply(v, z, x, train=False)[-1])
    return jax.device_get(run(*jax.device_put((variables, z, x), device)))

  reference = maps(jax.devices('cpu')[0])
  for precision in ('default', 'highest'):
    with jax.default_matmul_precision(precision):
      found = maps(jax.devices()[0])
    yield {f'{kind}, precision {precision}': float(
        np.abs(getattr(found, kind) - getattr(reference, kind)).max() /
        np.abs(getattr(reference, kind)).max())
           for kind in ('heatmap', 'offsets', 'size')}
