"""Training steps on a GPU: time, utilization, memory, profile, PyTorch."""

import functools
import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np

from perf import costs, inputs, prepared, turns
from perf.in_time import Figures
from perf.turns import quartiles
from siamkpn_jax.config.settings import Config
from siamkpn_jax.distributed import sharding
from siamkpn_jax.training import throughput, trainer
from siamkpn_jax.training.state import init_state

_STEPS = 10  # in a round


class _Parts:
  """A step, its state and its batch on the first device."""

  def __init__(self, name: str, dtype: str, tiny: bool):
    config, variables = inputs.network(name, dtype, tiny)
    # As on one large GPU.
    batch = 4 if tiny else 80 if name == 'kpn3s' else 128
    self.config: Config = config.updated(train={'batch_size': batch})
    self.mesh = jax.make_mesh((1,), ('data',), devices=jax.devices()[:1],
                              axis_types=(jax.sharding.AxisType.Auto,))
    self.step = trainer.build_step(self.config)
    self.state = jax.jit(
        functools.partial(init_state, optimizer=self.step.optimizer,
                          ema=self.config.train.ema_decay > 0),
        out_shardings=sharding.placement(trainer.abstract_state(
            self.config, self.step, self.mesh)))(variables)
    self.batch = sharding.put_batch(inputs.noise_batch(
        throughput.abstract_batch(self.step, batch)), self.mesh)


def training(name: str, dtype: str, tiny: bool) -> Iterator[Figures]:
  """One device's step, from raw patches on the device; the backbone trains."""
  parts = _Parts(name, dtype, tiny)
  batch = parts.config.train.batch_size
  steps = prepared.Steps(parts.step, parts.state, parts.batch, parts.mesh,
                         unfrozen=True)
  yield {'batch': batch, 'compile, s': steps.compile_seconds}
  turns.timed(steps, 2)
  times = [turns.timed(steps, 2 if tiny else _STEPS)
           for _ in range(2 if tiny else 5)]
  median = float(np.median(times))
  yield {'ms/step': quartiles([1e3 * t for t in times]),
         'pairs/s': quartiles([batch / t for t in times])}
  yield _memory(steps)
  flops = throughput.step_flops(parts.step, parts.state, batch, unfrozen=True)
  if flops:
    peak = throughput.peak_flops(jax.devices()[0].device_kind)
    yield {'TFLOP/s': flops / median / 1e12, 'model FLOP utilization':
           flops / median / peak if peak else 'peak of the device unknown'}
  with tempfile.TemporaryDirectory() as folder:
    found = costs.profile(Path(folder), lambda: turns.timed(steps, 3))
  yield {'profile of 3 steps': costs.rows(found, steps.program, 15)}


def _memory(steps: prepared.Steps) -> Figures:
  """What the compiler reserves, and the most that was used so far."""
  needed = steps.program.memory_analysis()
  used = jax.devices()[0].memory_stats()
  return {
      'memory of the program, GB': (
          needed.argument_size_in_bytes + needed.output_size_in_bytes -
          needed.alias_size_in_bytes + needed.temp_size_in_bytes) / 1e9
      if needed else 'not told',
      'peak of all so far, GB':
      used['peak_bytes_in_use'] / 1e9 if used else 'not told'}


def peer(tiny: bool) -> Iterator[Figures]:
  """From ready crops, in turns with PyTorch (eager, TF32 allowed in both)."""
  if not importlib.util.find_spec('torch'):
    yield {'skipped': 'PyTorch is not installed'}
    return
  import torch

  from perf import torch_step
  on_gpu = torch.cuda.is_available()
  if on_gpu != (jax.default_backend() == 'gpu'):
    yield {'skipped': 'PyTorch and JAX see different devices'}
    return
  device = 'cuda' if on_gpu else 'cpu'
  yield {'PyTorch': torch.__version__, 'device': device}
  torch.backends.cuda.matmul.allow_tf32 = True
  torch.backends.cudnn.allow_tf32 = True
  torch.backends.cudnn.benchmark = True
  parts = _Parts('kpn3s', 'float32', tiny)
  z, x, labels = crops = jax.jit(parts.step.prepare)(parts.batch)
  ours = prepared.Steps(prepared.from_crops(parts.step), parts.state, crops,
                        parts.mesh, unfrozen=True)
  theirs = torch_step.build(parts.config, parts.step.model,
                            parts.state.variables, device)
  theirs.unfreeze()
  inputs = torch_step.tensors(z, x, labels, device)

  def pytorch(count: int) -> float:
    for _ in range(count):
      loss = theirs.step(*inputs, 1e-4)['loss']
    return float(loss)  # waits

  yield {'first loss, ours': float(ours()['loss']),
         'first loss, PyTorch': pytorch(1)}
  count, batch = 3, parts.config.train.batch_size
  pytorch(1)
  times = turns.take_turns({
      'ours': lambda: turns.timed(ours, count),
      'PyTorch': lambda: turns.timed(lambda: pytorch(count)) / count
  }, 2 if tiny else 8)
  yield {f'{name}, pairs/s': quartiles([batch / t for t in values])
         for name, values in times.items()}
  yield {'time, PyTorch / ours': quartiles(
      np.divide(times['PyTorch'], times['ours']).tolist())}
