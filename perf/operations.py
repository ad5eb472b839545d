"""Where the time of a search crop goes, in JAX and in ONNX Runtime.

  pip install onnx onnxruntime
  python -m perf.operations --threads 1

Ms of a crop by kind of operation, as the profilers of both tell; and the rest,
which a step takes by the clock, without a profiler, beyond them. With one
thread they add up; more run operations side by side. ONNX Runtime adds biases,
limits and pads within its convolutions, XLA in passes of their own.
"""

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import jax

from perf import circumstances, costs, networks, turns
from perf.inputs import video
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.load import decode_config
from siamkpn_jax.tracking.tracker import Tracker

PRODUCTS, KERNELS, PADDING, OTHERS, REST = (
    '1x1 convolutions', 'other convolutions, correlations', 'passes that pad',
    'other passes', 'the rest')
_TAPS = 9  # products at least in a loop that is a convolution

_COMPUTATION = re.compile(
    r'^%?([\w.-]+) \([^\n]*\{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_CALLS = re.compile(
    r'^\s*(?:ROOT )?%?([\w.-]+) = [^\n]*? fusion\([^\n]*calls=%?([\w.-]+)',
    re.MULTILINE)


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  networks.add_flags(parser)
  parser.add_argument(
      '--steps', type=whole(1), default=50, help='Crops in a turn.')
  turns.add_flags(parser, rounds=10)
  parser.add_argument('--json', help='JSON file to write the figures to.')


def run(args: argparse.Namespace) -> None:
  """Measures, prints and writes."""
  output = check_output(args.json, '--json', suffixes=('.json',))
  threads = turns.use_threads(args.threads)
  config, variables = networks.load(args)
  loads = [circumstances.load()]
  step, kinds = _jax(config, variables)
  steps = {'JAX': step}
  profiles = {'JAX': lambda: _jax_profile(step, kinds, args.steps)}
  network = networks.serialized(config, variables)
  if network:
    steps['ONNX Runtime'] = networks.onnx_step(_onnx(network, config, threads))
    profiles['ONNX Runtime'] = lambda: _onnx_profile(
        network, config, threads, args.steps)
  seconds = turns.take_turns(
      {name: lambda step=step: turns.timed(step, args.steps, before=1)
       for name, step in steps.items()}, args.rounds)
  result: dict[str, Any] = turns.summarize(
      seconds, [('JAX', name) for name in steps if name != 'JAX'])
  result['operations'] = {
      name: with_rest(profile(), result['ms'][name]['median'])
      for name, profile in profiles.items()}
  result |= {'rounds': args.rounds, 'steps_per_turn': args.steps}
  result |= circumstances.describe(threads, [*loads, circumstances.load()])
  print(table(result['operations']))
  print(turns.report(result, 'ms per crop'))
  print(circumstances.line(result))
  if output:
    circumstances.write(output, result)


def table(operations: Mapping[str, Mapping[str, tuple[float, float]]]) -> str:
  """Kinds of operations as a table in Markdown: ms, and how many."""
  lines = [turns.row(['ms per crop (operations)', *operations]),
           turns.row(['---'] * (1 + len(operations)))]
  for kind in (PRODUCTS, KERNELS, PADDING, OTHERS, REST):
    cells = (found.get(kind) for found in operations.values())
    lines.append(turns.row([kind, *(
        '-' if cell is None else f'{cell[0]:.2f}' + (
            f' ({cell[1]:.0f})' if cell[1] else '') for cell in cells)]))
  return '\n'.join([*lines, ''])


def with_rest(found: Mapping[str, tuple[float, float]],
              ms: float) -> dict[str, tuple[float, float]]:
  """Ms and number of each kind, and what a step takes beyond them."""
  return {**found, REST: (ms - sum(cost for cost, _ in found.values()), 0.0)}


def kinds_of_hlo(text: str) -> dict[str, str]:
  """{operation of a compiled program: its kind}, but for `OTHERS`."""
  bodies = dict(_COMPUTATION.findall(text))
  kinds = {name: PRODUCTS for name in re.findall(
      r'^\s*(?:ROOT )?%?([\w.-]+) = \S+ dot\(', text, re.MULTILINE)}
  for name, called in _CALLS.findall(text):
    body = bodies.get(called, '')
    if body.count(' multiply(') >= _TAPS:
      kinds[name] = KERNELS
    elif ' pad(' in body:
      kinds[name] = PADDING
  return kinds


def kind_of_node(arguments: Mapping[str, Any]) -> str:
  """The kind of what ONNX Runtime's profiler says of a node."""
  if arguments['op_name'] in ('MatMul', 'Gemm'):
    return PRODUCTS
  if arguments['op_name'] != 'Conv':
    return OTHERS
  (kernel,) = arguments['input_type_shape'][1].values()
  return PRODUCTS if kernel[2:] == [1, 1] else KERNELS


def _totals(costs_of: Iterable[tuple[str, float, float]],
            steps: int) -> dict[str, tuple[float, float]]:
  """(kind, seconds, count) of some steps -> ms and number in one."""
  seconds: Counter[str] = Counter()
  counts: Counter[str] = Counter()
  for kind, value, count in costs_of:
    seconds[kind] += value  # type: ignore[assignment]
    counts[kind] += count  # type: ignore[assignment]
  return {kind: (1e3 * value / steps, counts[kind] / steps)
          for kind, value in seconds.items()}


def _jax(config: Config, variables: Any
         ) -> tuple[Callable[[], Any], dict[str, str]]:
  """The jitted update of a tracker that has a target, and what is in it."""
  tracker = Tracker(build_model(config.model), variables,
                    decode_config(config))
  frames, box_xywh = video()
  tracker.init(frames[0], box_xywh)
  program, step = networks.compiled_step(tracker._batch, frames[1])
  return (lambda: jax.block_until_ready(step()),
          kinds_of_hlo(program.as_text()))


def _jax_profile(step: Callable[[], Any], kinds: Mapping[str, str],
                 count: int) -> dict[str, tuple[float, float]]:
  step()
  with tempfile.TemporaryDirectory() as folder:
    found = costs.profile(
        Path(folder), lambda: [step() for _ in range(count)])
  return _totals(((kinds.get(cost.name, OTHERS), cost.seconds, cost.count)
                  for cost in found), count)


def _onnx(network: Any, config: Config, threads: int) -> Any:
  """A tracker that has a target."""
  from siamkpn_jax.tracking.onnx.tracker import OnnxTracker
  tracker = OnnxTracker(network, decode_config(config), threads=threads)
  frames, box_xywh = video()
  tracker.init(frames[0], box_xywh)
  return tracker


def _onnx_profile(network: Any, config: Config, threads: int,
                  count: int) -> dict[str, tuple[float, float]]:
  import onnxruntime
  real = onnxruntime.SessionOptions
  with tempfile.TemporaryDirectory() as folder:

    def profiled() -> Any:
      options = real()
      options.enable_profiling = True
      options.profile_file_prefix = str(Path(folder, 'trace'))
      return options

    with mock.patch.object(onnxruntime, 'SessionOptions', profiled):
      tracker = _onnx(network, config, threads)
    step = networks.onnx_step(tracker)
    for _ in range(count):
      step()
    events = json.loads(Path(tracker._session.end_profiling()).read_text())
    tracker._template.end_profiling()  # within the folder's life
  return totals_of_events(events)


def totals_of_events(events: Iterable[Mapping[str, Any]]
                     ) -> dict[str, tuple[float, float]]:
  """What ONNX Runtime's profiler wrote -> ms and number in one run."""
  events = list(events)
  nodes = [event for event in events if event['name'].endswith('_kernel_time')]
  # The first looks of a tracker are runs, too.
  runs = sum(event['name'] == 'model_run' for event in events)
  return _totals(((kind_of_node(node['args']), node['dur'] / 1e6, 1)
                  for node in nodes), runs)


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.operations'))
