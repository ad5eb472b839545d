"""Every measurement on a GPU, in one call of a few minutes.

  python -m perf.gpu --output gpu.json --seconds 540

Needs JAX with CUDA, and neither TensorFlow nor ml-collections; where PyTorch
with CUDA is installed, its training step is the peer. The most important comes
first; what --seconds leaves no time for is skipped, what fails is named, and
--output is written after every measurement. --tiny only tries whether all of it
runs: a small network, few rounds, any device.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from perf import gpu_tracking, gpu_training
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, Switch, whole
from siamkpn_jax.core.atomic_io import atomic_paths, check_output


class Measurement(NamedTuple):
  """What is measured.

  Attributes:
    name: of it.
    seconds: that it needs, by experience.
    run: measures; the result is {what: number or text or table}.
  """

  name: str
  seconds: float
  run: Callable[[], dict[str, Any]]


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
  plan = [one for one in make_plan(args.tiny)
          if one.name.startswith(args.only)]
  with tempfile.TemporaryDirectory() as folder:
    # What is compiled once for a tracker and once for its profile.
    jax.config.update('jax_compilation_cache_dir', folder)
    results = measure(plan, end, lambda found: write(output, found))
  return int(any('failed' in result for result in results.values()))


def make_plan(tiny: bool) -> list[Measurement]:
  """All measurements, the most important first."""
  one, every = Measurement, []
  every.append(one('machine', 10, lambda: machine(tiny)))
  every += [one(*work) for work in gpu_tracking.plan(tiny)]
  every += [one(*work) for work in gpu_training.plan(tiny)]
  return sorted(every, key=lambda one: _ORDER.index(one.name)
                if one.name in _ORDER else len(_ORDER))


# The rest in the order in which it is planned.
_ORDER = (
    'machine', 'kpn3s bfloat16, one target', 'kpn3s bfloat16, 64 slots',
    'training kpn3s bfloat16', 'training kpn3s_nano float32',
    'kpn3s_nano float32, one target', 'kpn3s_nano float32, 64 slots')


def measure(plan: Iterable[Measurement], end: float,
            save: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
  """Runs what there is time for.

  Args:
    plan: what to measure, in this order.
    end: of the time, by `time.monotonic`.
    save: called with all results so far.

  Returns:
    {name: result}; {'skipped': reason} or {'failed': what happened} instead of
    one.
  """
  results: dict[str, Any] = {}
  for name, seconds, work in plan:
    left = end - time.monotonic()
    if left < seconds:
      results[name] = {'skipped': f'{left:.0f} s left, about {seconds:.0f} '
                                  'needed'}
    else:
      start = time.monotonic()
      try:
        results[name] = work()
      except Exception as error:  # the next one may work; all is told
        traceback.print_exc()
        results[name] = {'failed': f'{type(error).__name__}: {error}'}
      results[name]['seconds'] = round(time.monotonic() - start, 1)
    print(f'{name}\n{show(results[name])}', flush=True)
    save(results)
  return results


def show(result: dict[str, Any]) -> str:
  """A result for the terminal; tables row by row."""
  lines = []
  for key, value in result.items():
    if isinstance(value, list):
      lines += [f'    {key}', *(f'      {row}' for row in value)]
    else:
      lines.append(f'    {key:28} '
                   f'{f"{value:.4g}" if isinstance(value, float) else value}')
  return '\n'.join(lines)


def write(path: Path, results: dict[str, Any]) -> None:
  """Writes the results, whole or not at all."""
  with atomic_paths([path]) as partial:
    partial[path].write_text(json.dumps(results, indent=2) + '\n')


def machine(tiny: bool) -> dict[str, Any]:
  """What it is, and its ceilings: a large product, a large copy."""
  side = 256 if tiny else 8192
  x = jax.random.normal(jax.random.key(0), (side, side), jnp.bfloat16)
  product = jax.jit(jnp.matmul)
  copy = jax.jit(lambda x: x + 1)
  large = jnp.zeros((2**20 if tiny else 2**31,), jnp.bfloat16)
  return {
      'device': jax.devices()[0].device_kind,
      'backend': jax.default_backend(),
      'python': platform.python_version(), 'jax': jax.__version__,
      'product, TFLOP/s': 2 * side**3 / seconds(lambda: product(x, x)) / 1e12,
      'copy, GB/s': 2 * large.nbytes / seconds(lambda: copy(large)) / 1e9}


def seconds(call: Callable[[], Any], rounds: int = 10) -> float:
  """The median time of a call, compiled before."""
  jax.block_until_ready(call())
  times = []
  for _ in range(rounds):
    start = time.perf_counter()
    jax.block_until_ready(call())
    times.append(time.perf_counter() - start)
  return float(np.median(times))


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.gpu'))
