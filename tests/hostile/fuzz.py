"""Tries hostile files on every reader, for as long as one likes.

  python -m tests.hostile.fuzz --seconds 3600
  python -m tests.hostile.fuzz --target 'train coco' --seed 7
  python -m tests.hostile.fuzz --target 'train coco' --repeat runs/fuzz/FOLDER

The readers take turns. In a turn some inputs are made by hypothesis, most by
damaging valid files. Ends with status 1 if there was a crash; one input of
each kind is kept.
"""

import argparse
import collections
import faulthandler
import logging
import os
import random
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.hostile import damage, oracle, strategies, watch
from tests.hostile.oracle import Crash, Target
from tests.hostile.targets import TARGETS

_MADE = 10  # inputs of hypothesis in a turn: they take longest
_KEPT = 200  # of them, to be damaged as well


class Fuzzer:
  """Counts what was tried, and keeps what crashed.

  Attributes:
    tried: inputs.
    crashes: (target, kind) -> how often.
    by_target: target -> (inputs, seconds).
  """

  def __init__(self, output: Path, number: int):
    self.tried = 0
    self.crashes: collections.Counter[tuple[str, str]] = collections.Counter()
    self.by_target: dict[str, tuple[int, float]] = {}
    self._output = output
    self._random = random.Random(number)
    self._valid: dict[str, Mapping] = {}
    self._made: dict[str, list[Mapping[str, bytes]]] = {}

  def turn(self, target: Target, seconds: float) -> None:
    """Tries one reader for some seconds."""
    start, before = time.perf_counter(), self.tried
    if target.name not in self._valid:
      self._valid[target.name] = dict(target.valid())
    valid = self._valid[target.name]
    self._make(target, valid)
    while time.perf_counter() < start + seconds:
      made = self._made[target.name]
      some = (self._random.choice(made) if self._random.random() < 0.2
              else valid)
      self.try_files(target, damage.damaged_files(
          dict(some or valid), self._random))
    tried, spent = self.by_target.get(target.name, (0, 0.0))
    self.by_target[target.name] = (
        tried + self.tried - before, spent + time.perf_counter() - start)

  def _make(self, target: Target, valid: Mapping) -> None:
    @seed(self._random.getrandbits(32))
    @settings(max_examples=2 if target.slow else _MADE, database=None,
              deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(strategies.files(dict(valid)))
    def run(files):
      self.try_files(target, files)
      made.append(files)

    made = self._made.setdefault(target.name, [])
    run()
    del made[:-_KEPT]

  def try_files(self, target: Target, files: Mapping[str, bytes]) -> None:
    """Tries one input."""
    self.tried += 1
    crash = oracle.attempt(target, files)
    if crash is None:
      return
    key = (target.name, crash.kind)
    self.crashes[key] += 1
    if self.crashes[key] == 1:
      self._keep(target, crash, files)

  def _keep(self, target: Target, crash: Crash,
            files: Mapping[str, bytes]) -> None:
    folder = self._output / re.sub(r'\W+', '_', f'{target.name} {crash.kind}')
    (folder / 'files').mkdir(parents=True, exist_ok=True)
    oracle.write(folder / 'files', files)
    (folder / 'story.txt').write_text(crash.story, errors='backslashreplace')
    print(f'crash: {target.name}: {crash.kind}\n  python -m tests.hostile.fuzz '
          f"--target '{target.name}' --repeat {folder}", flush=True)


def main(argv: list[str] | None = None) -> int:
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('--seconds', type=float, default=60)
  parser.add_argument('--target', action='append', default=[],
                      help='Only this reader; may be repeated.')
  parser.add_argument('--seed', type=int, default=None)
  parser.add_argument('--output', type=Path, default=Path('runs/fuzz'))
  parser.add_argument('--repeat', type=Path,
                      help='Folder of a crash: tries it once more.')
  args = parser.parse_args(argv)
  known = {target.name: target for target in TARGETS}
  unknown = [name for name in args.target if name not in known]
  if unknown:
    parser.error(f'no target {unknown[0]!r}; they are {", ".join(known)}')
  targets = [known[name] for name in args.target] or list(TARGETS)
  os.environ['SIAMKPN_CACHE'] = 'off'  # of another run nothing counts
  _mute_libraries()
  if args.repeat:
    return _repeat(targets[0], args.repeat)
  return _run(targets, args)


def _mute_libraries() -> None:
  """What decoders print of damaged images goes nowhere; what Python does, on.

  libpng and libjpeg have no other setting for it; Orbax's threads log what is
  left behind of a load that was given up.
  """
  logging.disable(logging.CRITICAL)
  sys.stderr = os.fdopen(os.dup(2), 'w', buffering=1)
  os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
  faulthandler.enable(sys.stderr)


def _repeat(target: Target, folder: Path) -> int:
  place = folder / 'files'
  files = {path.relative_to(place).as_posix(): path.read_bytes()
           for path in place.rglob('*') if path.is_file()}
  crash = oracle.attempt(target, files)
  print(crash.story if crash else 'no crash')
  return 1 if crash else 0


def _run(targets: list[Target], args: argparse.Namespace) -> int:
  number = time.time_ns() % 10**6 if args.seed is None else args.seed
  print(f'seed {number}, {len(targets)} readers', flush=True)
  fuzzer = Fuzzer(args.output, number)
  start = time.perf_counter()
  end = start + args.seconds
  turn = min(10.0, max(0.2, args.seconds / len(targets) / 2))
  told = start
  while time.perf_counter() < end:
    for target in targets:
      if time.perf_counter() >= end:
        break
      watch.start(sys.stderr)  # if a library never returns
      fuzzer.turn(target, turn)
    if time.perf_counter() > told + 60:
      told = time.perf_counter()
      _tell(fuzzer, told - start)
  watch.stop()
  for name, (tried, seconds) in fuzzer.by_target.items():
    print(f'  {name:24} {tried:9,} inputs, {tried / seconds:6.0f}/s')
  for (name, kind), count in fuzzer.crashes.items():
    print(f'  {name}: {kind}: {count}')
  _tell(fuzzer, time.perf_counter() - start)
  return 1 if fuzzer.crashes else 0


def _tell(fuzzer: Fuzzer, seconds: float) -> None:
  print(f'{fuzzer.tried:,} inputs tried in {seconds:.0f} s '
        f'({fuzzer.tried / seconds:.0f}/s), crashes: '
        f'{sum(fuzzer.crashes.values()):,} of {len(fuzzer.crashes)} kinds',
        flush=True)


if __name__ == '__main__':
  sys.exit(main())
