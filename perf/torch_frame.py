"""A search crop of a network in JAX, in PyTorch and in ONNX Runtime.

  pip install torch
  python -m perf.torch_frame --config configs/kpn3s.py
  python -m perf.torch_frame --config configs/kpn3s.py --dtype bfloat16

Ms per crop in turns, with the same weights: ours as the tracker runs it,
PyTorch eager and compiled (--compile, which takes minutes and a C++ compiler),
channels last in memory, with the template's features computed once, and in
float32 ONNX Runtime, if it is installed. bfloat16 says nothing on a processor
that has no instructions for it: nothing is measured there but with --anyway.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from perf import circumstances, networks, turns
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, Switch
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core import geometry
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.compiling import Jitted
from siamkpn_jax.core.cpuinfo import CPUINFO, processor_field
from siamkpn_jax.models.inference import for_cpu, inference_variables
from siamkpn_jax.models.siamkpn import SiamKPN, build_model

_INSTRUCTIONS = ('avx512_bf16', 'amx_bf16')


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  networks.add_flags(parser)
  parser.add_argument(
      '--dtype', choices=('float32', 'bfloat16'), default='float32',
      help='Of the computation.')
  parser.add_argument(
      '--anyway', action=Switch, default=False,
      help='bfloat16 without instructions for it.')
  parser.add_argument(
      '--compile', action=Switch, default=False, help='torch.compile as well.')
  turns.add_flags(parser, rounds=8)
  parser.add_argument('--json', help='JSON file to write the figures to.')


def run(args: argparse.Namespace) -> None:
  """Measures, prints and writes."""
  output = check_output(args.json, '--json', suffixes=('.json',))
  if args.dtype == 'bfloat16' and not (args.anyway or bfloat16_by()):
    print('left out: this processor has no instructions for bfloat16 '
          f'({" or ".join(_INSTRUCTIONS)})')
    return
  threads = turns.use_threads(args.threads)
  config, variables = networks.load(args)
  config = config.updated(model={'dtype': args.dtype})
  loads = [circumstances.load()]
  rng = np.random.default_rng(0)
  z, x = (rng.integers(0, 256, (1, side, side, 3)).astype(np.float32)
          for side in (geometry.TEMPLATE_SIZE, config.tracking.search_size))
  ways = {'JAX': _jax(config, variables, z, x),
          **_torch(config, variables, z, x, threads, args)}
  network = args.dtype == 'float32' and networks.serialized(config, variables)
  if network:
    ways['ONNX Runtime'] = _onnx(network, z, x, threads)
  for way in ways.values():
    way()  # compiles
  result = turns.summarize(
      turns.take_turns({name: functools.partial(turns.timed, way)
                        for name, way in ways.items()}, args.rounds),
      [(name, 'JAX') for name in ways if name != 'JAX'])
  result |= {'dtype': args.dtype, 'instructions': bfloat16_by(),
             'rounds': args.rounds}
  result |= circumstances.describe(threads, [*loads, circumstances.load()])
  print(turns.report(result, 'ms per crop'))
  print(f'{args.dtype}; {circumstances.line(result)}')
  if output:
    circumstances.write(output, result)


def bfloat16_by(cpuinfo: Path = CPUINFO) -> list[str]:
  """The instructions for bfloat16 that this processor is known to have."""
  flags = (processor_field('flags', path=cpuinfo) or '').split()
  return [name for name in _INSTRUCTIONS if name in flags]


def _jax(config: Config, variables: Any, z: np.ndarray, x: np.ndarray
         ) -> Callable[[], Any]:
  on_cpu = jax.default_backend() == 'cpu'
  model = build_model(config.model)
  model = for_cpu(model) if on_cpu else model
  given = jax.device_put(inference_variables(
      model, variables, cpu=on_cpu))
  template = jax.jit(functools.partial(
      model.apply, train=False, method=SiamKPN.template))(given, z)
  search = Jitted(lambda given, template, x: model.apply(
      given, template, x, train=False, method=SiamKPN.search)[-1])
  crop = jnp.asarray(x)
  return lambda: jax.block_until_ready(search(given, template, crop))


def _torch(config: Config, variables: Any, z: np.ndarray, x: np.ndarray,
           threads: int, args: argparse.Namespace
           ) -> dict[str, Callable[[], Any]]:
  """Nothing where PyTorch is missing."""
  try:
    import torch

    from perf import torch_step
  except ModuleNotFoundError:
    return {}
  torch.set_num_threads(threads)
  dtype = getattr(torch, args.dtype)
  exact = build_model(config.updated(model={'dtype': 'float32'}).model)
  network = torch_step.network(config, exact, variables).eval().to(dtype)
  first, crop = (torch.from_numpy(c).permute(0, 3, 1, 2).to(dtype)
                 for c in (z, x))

  def search(features: Any, crop: Any) -> Any:
    return network.kpn_head(features, network.features(crop))[-1]

  def way(search: Callable[..., Any]) -> Callable[[], Any]:
    def once() -> Any:
      with torch.inference_mode():
        return search(features, crop)
    return once

  with torch.inference_mode():
    features = network.features(first)
  ways = {'PyTorch': way(search)}
  if args.compile:
    ways['PyTorch, compiled'] = way(torch.compile(search))
  return ways


def _onnx(network: Any, z: np.ndarray, x: np.ndarray, threads: int
          ) -> Callable[[], Any]:
  from siamkpn_jax.tracking.onnx.tracker import open_session
  first = lambda c: np.ascontiguousarray(c.transpose(0, 3, 1, 2))
  template = open_session(network.template, threads)
  kernels = template.run(None, {template.get_inputs()[0].name: first(z)})
  session = open_session(network.search, threads, dict(zip(
      [o.name for o in template.get_outputs()], kernels, strict=True)))
  given = {session.get_inputs()[0].name: first(x)}
  return lambda: session.run(None, given)


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.torch_frame'))
