"""How long the first box takes, from the start of a process.

  python -m perf.startup

Our tracker in JAX and in ONNX Runtime, each in processes of its own: a first
run, whose cache folder is empty, and a second one, which finds there what the
first has left. --models, the folder of cv2.TrackerNano's files, adds that
tracker, which keeps nothing. All take turns; a time is the median over the
rounds. What a run does is in perf/first_box.py. Files that are read are in
memory before, as the first round is not counted. On a machine that does other
work too, the CPU seconds, of all threads, say more.

--config FILE in place of --weights takes random weights.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perf import circumstances, networks, turns
from perf.first_box import CPU, ENGINES, STEPS
from perf.opencv_trackers import find_trackers
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights_file import save_weights_file
from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.user_cache import VARIABLE

_NAMES = dict(zip(ENGINES, ('ours in JAX', 'ours in ONNX Runtime'),
                  strict=True))
_PEER = 'TrackerNano'


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--weights', help='Of our tracker; default: those in the package.')
  config_flags.add_config_argument(
      parser, 'Configuration, for random weights.')
  parser.add_argument(
      '--engine', action='append', choices=ENGINES,
      help='This alone; may be repeated.')
  parser.add_argument(
      '--models', help=f'Folder of the files of {_PEER}.')
  turns.add_flags(parser, rounds=5)
  parser.add_argument('--json', help='JSON file to write the figures to.')


def run(args: argparse.Namespace) -> None:
  """Measures, prints and writes."""
  threads = turns.use_threads(args.threads)
  output = check_output(args.json, '--json', suffixes=('.json',))
  missing = {}
  if args.models:
    missing = find_trackers(Path(args.models), [_PEER]).missing
  loads = [circumstances.load()]
  with tempfile.TemporaryDirectory() as folder:
    weights = (_random(args, Path(folder)) if args.config else
               find_weights(args.weights))
    runs: dict[str, list[dict[str, float]]] = {}
    ways: dict[str, Callable[[], float]] = {}
    for engine in args.engine or ENGINES:
      cache = Path(folder) / engine
      for which in ('first', 'second'):
        ways[f'{_NAMES[engine]}, {which} run'] = _way(
            runs.setdefault(f'{_NAMES[engine]}, {which} run', []),
            [engine, str(weights), ''], cache, empty=which == 'first')
    if args.models and not missing:
      ways[_PEER] = _way(runs.setdefault(_PEER, []),
                         [_PEER, '', args.models], Path(folder))
    turns.take_turns(ways, args.rounds + 1)
  result: dict[str, Any] = {
      'seconds': {name: _summary(some[1:]) for name, some in runs.items()},
      'not_available': missing, 'rounds': args.rounds,
      **circumstances.describe(threads, [*loads, circumstances.load()]),
      'command': shlex.join(['python', '-m', 'perf.startup', *args.argv])}
  print(report(result))
  if output:
    circumstances.write(output, result)


def _random(args: argparse.Namespace, folder: Path) -> Path:
  """A file of random weights."""
  path = folder / 'random.safetensors'
  save_weights_file(path, *networks.load(args), {})
  return path


def _way(found: list[dict[str, float]], arguments: list[str], cache: Path, *,
         empty: bool = False) -> Callable[[], float]:
  """A run; the seconds that its steps take are added to `found`."""
  env = {name: value for name, value in os.environ.items()
         if not name.startswith(('JAX_COMPILATION', 'JAX_PERSISTENT'))}

  def way() -> float:
    if empty:
      shutil.rmtree(cache, ignore_errors=True)
    before = time.time()
    done = subprocess.run(
        [sys.executable, '-m', 'perf.first_box', *arguments], check=True,
        stdout=subprocess.PIPE, text=True, env=env | {VARIABLE: str(cache)})
    clock = json.loads(done.stdout)
    steps = {}
    for name in STEPS:
      steps[name], before = clock[name] - before, clock[name]
    found.append(steps | {CPU: clock[CPU]})
    return sum(steps.values())

  return way


def _summary(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
  """Quartiles of the whole, of each step and of the CPU time."""
  return {'first box': turns.quartiles(
      [sum(run[name] for name in STEPS) for run in runs]),
          **{name: turns.quartiles([run[name] for run in runs])
             for name in (*STEPS, CPU)}}


def report(result: dict[str, Any]) -> str:
  """The table in Markdown."""
  head = ['seconds until', 'first box (quartiles)', *(
      f'of these: {name}' for name in STEPS), 'CPU']
  lines = [turns.row(head), turns.row(['---'] * len(head))]
  for way, parts in result['seconds'].items():
    whole_run = parts['first box']
    lines.append(turns.row([
        way, '{median:.2f} ({low:.2f} to {high:.2f})'.format(**whole_run),
        *(f'{parts[name]["median"]:.2f}' for name in (*STEPS, CPU))]))
  for name, why in result['not_available'].items():
    lines.append(turns.row([name, f'not available: {why}',
                              *[''] * (len(head) - 2)]))
  return '\n'.join([*lines, '', circumstances.line(result) +
                    f'; {result["rounds"]} rounds'])


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.startup'))
