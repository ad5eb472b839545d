"""Every measurement on a GPU, in one call of a few minutes.

  python -m perf.gpu --output gpu.json --seconds 540

Needs JAX with CUDA, and neither TensorFlow nor ml-collections; where PyTorch
with CUDA is installed, its training step is the peer. The most important comes
first; what --seconds leaves no time for is skipped, what fails is named (and
the exit status is 1), and --output is rewritten with every figure. --tiny only
tries whether all of it runs: a small network, few rounds, any device.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from perf import circumstances, gpu_tracking, in_time, turns
from perf.in_time import Figures, Measurement
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, Switch, whole
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.provenance import git_revision, hardware


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument('--output', required=True, help='JSON file to write.')
  parser.add_argument(
      '--seconds', type=whole(1), default=540, help='Time for all of it.')
  parser.add_argument(
      '--only', default='', help='Only measurements whose names begin so.')
  parser.add_argument(
      '--tiny', action=Switch, default=False, help='Only try that it runs.')


def run(args: argparse.Namespace) -> int:
  """Measures and prints; 1 if a measurement failed."""
  end = time.monotonic() + args.seconds
  output = check_output(args.output, '--output', suffixes=('.json',))
  assert output is not None
  # What JAX does not use is left to PyTorch.
  os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
  plan = [one for one in make_plan(args.tiny)
          if one.name.startswith(args.only)]
  results = in_time.measure(
      plan, end, lambda found: circumstances.write(output, found))
  print(f'\n{in_time.table(results)}\n{output}', flush=True)
  return int(in_time.failed(results))


def make_plan(tiny: bool) -> list[Measurement]:
  """All measurements, the most important first."""
  # The seconds are mainly those of XLA, which tries ways of every convolution.
  return [
      Measurement('machine', 10, lambda: machine(tiny)),
      _one('kpn3s', 'bfloat16', 50, tiny),
      _many('kpn3s', 'bfloat16', 64, 45, tiny),
      _many('kpn3s', 'bfloat16', 8, 35, tiny),
      _many('kpn3s', 'bfloat16', 1, 10, tiny),
      _training('kpn3s', 'bfloat16', 110, tiny),
      _one('kpn3s_nano', 'float32', 45, tiny),
      _many('kpn3s_nano', 'float32', 64, 40, tiny),
      _many('kpn3s_nano', 'float32', 8, 30, tiny),
      _many('kpn3s_nano', 'float32', 1, 10, tiny),
      _training('kpn3s_nano', 'float32', 90, tiny),
      _training('kpn3s_nano', 'bfloat16', 90, tiny),
      _one('kpn3s', 'float32', 50, tiny),
      _training('kpn3s', 'float32', 110, tiny),
      Measurement('GPU against CPU, kpn3s', 60,
                  lambda: gpu_tracking.difference(tiny)),
      Measurement('PyTorch, training kpn3s', 120, lambda: _peer(tiny)),
      _one('kpn3s_nano', 'bfloat16', 45, tiny),
  ]


def _one(name: str, dtype: str, seconds: float, tiny: bool) -> Measurement:
  return Measurement(f'{name} {dtype}, one target', seconds,
                     lambda: gpu_tracking.one_target(name, dtype, tiny))


def _many(name: str, dtype: str, slots: int, seconds: float,
          tiny: bool) -> Measurement:
  return Measurement(
      f'{name} {dtype}, {slots} slot{"s" if slots > 1 else ""}', seconds,
      lambda: gpu_tracking.many_targets(name, dtype, slots, tiny))


def _training(name: str, dtype: str, seconds: float,
              tiny: bool) -> Measurement:
  def measured() -> Iterator[Figures]:
    from perf import gpu_training  # needs more packages than tracking
    return gpu_training.training(name, dtype, tiny)
  return Measurement(f'training {name} {dtype}', seconds, measured)


def _peer(tiny: bool) -> Iterator[Figures]:
  from perf import gpu_training
  return gpu_training.peer(tiny)


def machine(tiny: bool) -> Iterator[Figures]:
  """What it is, and its ceilings: a large product, a large copy."""
  if jax.default_backend() == 'cpu':
    yield {'note': 'this is a CPU: nothing here tells of a GPU'}
  yield {'device': jax.devices()[0].device_kind, 'hardware': hardware(),
         'python': platform.python_version(), 'jax': jax.__version__,
         'jaxlib': jaxlib.__version__, 'program': git_revision()}
  side = 256 if tiny else 8192
  x = jax.random.normal(jax.random.key(0), (side, side), jnp.bfloat16)
  product = jax.jit(jnp.matmul)
  yield {'bfloat16 product, TFLOP/s':
         2 * side**3 / _seconds(lambda: product(x, x)) / 1e12}
  large = jnp.zeros((2**20 if tiny else 2**30,), jnp.float32)
  copy = jax.jit(lambda x: x + 1)
  yield {'copy, GB/s': 2 * large.nbytes / _seconds(lambda: copy(large)) / 1e9}


def _seconds(call: Callable[[], Any]) -> float:
  """The median time of a call."""
  turns.timed(call)  # compiles
  return float(np.median([turns.timed(call) for _ in range(10)]))


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.gpu'))
