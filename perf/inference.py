"""What the inference form of the network and the compiler options bring.

  python -m perf.inference
  python -m perf.inference --config configs/kpn3s.py --batches 1

Milliseconds per crop of the search network, medians of --rounds turns: as it is
trained, with the variables of models/inference.py, and with these, the options
of core/compiling.py, Winograd's kernels and few crops at once where these are
faster, as the tracker runs it.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from perf import circumstances, networks, turns
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, names
from siamkpn_jax.core import geometry
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.compiling import Jitted
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.inference import crops_at_once, inference_variables
from siamkpn_jax.models.siamkpn import SiamKPN, build_model
from siamkpn_jax.tracking.functional import in_parts


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  networks.add_flags(parser)
  parser.add_argument(
      '--batches', type=names, default=('1', '8'), help='Crops at a time.')
  turns.add_flags(parser, rounds=20)
  parser.add_argument('--json', help='JSON file to write the figures to.')


def run(args: argparse.Namespace) -> None:
  """Prints a row per batch."""
  output = check_output(args.json, '--json', suffixes=('.json',))
  if not args.batches or not all(
      b.isdecimal() and int(b) for b in args.batches):
    raise UserError(f'--batches={",".join(args.batches)}: expected numbers of '
                    'crops separated by commas, such as 1,8')
  threads = turns.use_threads(args.threads)
  config, variables = networks.load(args)
  model = build_model(config.model)
  loads = [circumstances.load()]
  print('ms per crop')
  rows = {}
  for batch in map(int, args.batches):
    seconds = turns.take_turns(
        _programs(model, jax.device_get(variables), batch,
                  config.tracking.search_size), args.rounds)
    rows[batch] = {name: 1e3 * float(np.median(values)) / batch
                   for name, values in seconds.items()}
    print(f'batch {batch}: ' + ', '.join(
        f'{name} {ms:.2f}' for name, ms in rows[batch].items()) +
        '; time, as tracked / as trained: ' + turns.ratio(
            seconds['as tracked'], seconds['as trained']), flush=True)
  found = circumstances.describe(threads, [*loads, circumstances.load()])
  print(circumstances.line(found))
  if output:
    circumstances.write(output, {'rows': rows, 'rounds': args.rounds, **found})


def _programs(model: SiamKPN, variables: Any, batch: int,
              search_size: int) -> dict[str, Callable[[], float]]:
  """Each way to search a batch of crops; a call returns its seconds."""
  rng = np.random.default_rng(0)
  z, x = (jnp.asarray(rng.integers(0, 256, (batch, side, side, 3)), jnp.float32)
          for side in (geometry.TEMPLATE_SIZE, search_size))
  template = jax.jit(functools.partial(
      model.apply, train=False, method=SiamKPN.template))(variables, z)

  def search(variables: Any, at_once: int = 0) -> Any:
    return in_parts(
        lambda t, x: model.apply(variables, t, x, train=False,
                                 method=SiamKPN.search)[-1],
        at_once, template, x)

  folded = inference_variables(model, variables)
  on_cpu = jax.default_backend() == 'cpu'
  winograd = inference_variables(model, variables, cpu=on_cpu)
  tracked = functools.partial(
      search, at_once=crops_at_once(model) if on_cpu else 0)
  return {name: functools.partial(
      turns.timed, functools.partial(program, jax.device_put(given)),
      before=1) for name, program, given in (
              ('as trained', jax.jit(search), variables),
              ('folded', jax.jit(search), folded),
              ('as tracked', Jitted(tracked).jitted, winograd))}


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.inference'))
