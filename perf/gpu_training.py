"""Training steps on a GPU: time, utilization, memory, profile, PyTorch."""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from perf import costs, prepared, turns
from perf.gpu_tracking import Work, kpn3s, spread
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights_file import load_weights_file
from siamkpn_jax.config.settings import Config
from siamkpn_jax.distributed import sharding
from siamkpn_jax.training import throughput, trainer

_STEPS = 10  # in a round


def plan(tiny: bool) -> Iterator[Work]:
  """(name, seconds, measurement) of each."""
  for name, dtype in (('kpn3s', 'bfloat16'), ('kpn3s_nano', 'float32'),
                      ('kpn3s_nano', 'bfloat16'), ('kpn3s', 'float32')):
    yield (f'training {name} {dtype}', 100, lambda name=name, dtype=dtype:
           training(_config(name, dtype, tiny), tiny))
  if importlib.util.find_spec('torch'):
    yield ('training kpn3s float32, PyTorch', 100,
           lambda: peer(_config('kpn3s', 'float32', tiny), tiny))


def _config(name: str, dtype: str, tiny: bool) -> Config:
  """Of a training whose backbone trains; the batch as on one large GPU."""
  config = (load_weights_file(find_weights(name))[0] if name == 'kpn3s_nano'
            else kpn3s(tiny))
  batch = 4 if tiny else 80 if name == 'kpn3s' else 128
  return config.updated(model={'dtype': dtype}, train={'batch_size': batch})


class _Parts:
  """A step, its state and its batch on the first device."""

  def __init__(self, config: Config):
    self.mesh = jax.make_mesh((1,), ('data',), devices=jax.devices()[:1],
                              axis_types=(jax.sharding.AxisType.Auto,))
    self.step = trainer.build_step(config)
    self.state = trainer.fresh_state(config, self.step, self.mesh)
    self.batch = sharding.put_batch(
        prepared.rendered_batch(config, self.step), self.mesh)


def training(config: Config, tiny: bool) -> dict[str, Any]:
  """One device's step, from raw patches on the device."""
  parts, batch = _Parts(config), config.train.batch_size
  steps = prepared.Steps(parts.step, parts.state, parts.batch, parts.mesh,
                         unfrozen=True)
  flops = throughput.step_flops(parts.step, parts.state, batch, unfrozen=True)
  rate = _rates(steps, batch, tiny)
  result: dict[str, Any] = {
      'batch': batch, 'compile, s': steps.compile_seconds,
      'ms/step': 1e3 * batch / float(np.median(rate))} | spread(
          'pairs/s', rate)
  if flops:
    speed = flops * float(np.median(rate)) / batch
    peak = throughput.peak_flops(jax.devices()[0].device_kind)
    result['TFLOP/s'] = speed / 1e12
    result['model FLOP utilization'] = speed / peak if peak else 'unknown'
  memory = jax.devices()[0].memory_stats() or {}
  result['peak memory so far, GB'] = memory.get('peak_bytes_in_use', 0) / 1e9
  result['memory of the program, GB'] = (
      steps.program.memory_analysis().temp_size_in_bytes / 1e9)
  with tempfile.TemporaryDirectory() as folder:
    result['profile'] = costs.table(
        costs.profile(Path(folder), lambda: _run(steps, 3)),
        steps.program, 20)
  return result


def peer(config: Config, tiny: bool) -> dict[str, Any]:
  """From ready crops, in turns with PyTorch (eager, TF32 allowed in both)."""
  import torch

  from perf import torch_step
  device = 'cuda' if torch.cuda.is_available() else 'cpu'
  torch.backends.cuda.matmul.allow_tf32 = True
  torch.backends.cudnn.allow_tf32 = True
  torch.backends.cudnn.benchmark = True
  parts, batch = _Parts(config), config.train.batch_size
  crops = jax.jit(parts.step.prepare)(parts.batch)
  ours = prepared.Steps(prepared.from_crops(parts.step), parts.state, crops,
                        parts.mesh, unfrozen=True)
  theirs = torch_step.build(config, parts.step.model, parts.state.variables,
                            device)
  theirs.unfreeze()
  inputs = torch_step.tensors(*crops, device)

  def pytorch() -> float:
    return float(theirs.step(*inputs, 1e-4)['loss'])  # waits

  pytorch()
  times = turns.take_turns({
      'ours': lambda: _timed(lambda: _run(ours, 3)),
      'PyTorch': lambda: _timed(lambda: [pytorch() for _ in range(3)])},
                           2 if tiny else 8)
  return {'PyTorch': torch.__version__, 'device': device,
          'time, PyTorch / ours': turns.ratio(times['PyTorch'], times['ours']),
          'ours, pairs/s': 3 * batch / float(np.median(times['ours'])),
          'PyTorch, pairs/s': 3 * batch / float(np.median(times['PyTorch']))}


def _rates(steps: prepared.Steps, batch: int, tiny: bool) -> list[float]:
  """Pairs per second, round by round."""
  _run(steps, 2)
  count = 2 if tiny else _STEPS
  return [count * batch / _timed(lambda: _run(steps, count))
          for _ in range(2 if tiny else 5)]


def _run(steps: prepared.Steps, count: int) -> None:
  for _ in range(count):
    metrics = steps()
  jax.block_until_ready(metrics)


def _timed(work: Callable[[], object]) -> float:
  start = time.perf_counter()
  work()
  return time.perf_counter() - start
