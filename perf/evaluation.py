"""Frames per second of an evaluation, in batches and one sequence at a time.

  python -m perf.evaluation --data sequences

Both ways alternate within the one run, from image files to boxes, on the same
frames: `BatchTracker` with --batch targets at once, divided over the cores (or
the GPUs), and `Tracker`, one sequence after the other, images read ahead.
Compiling is not counted. The boxes of both are compared.
"""

import argparse
import functools
import sys
import time
from collections.abc import Sequence

import jax
import numpy as np

from perf import turns
from perf.sequences import add_sequence_flags
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core.cpu_devices import one_device_per_core
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.provenance import hardware
from siamkpn_jax.evaluation.formats.sequences import Video, load_otb
from siamkpn_jax.evaluation.run.batch_runner import drive
from siamkpn_jax.evaluation.run.experiments import one_pass_task
from siamkpn_jax.evaluation.run.load import ENGINES, load_for_sequences
from siamkpn_jax.evaluation.run.protocol import MultiTargetTracker
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.tracking.one_target import OneTarget


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  add_sequence_flags(parser)
  parser.add_argument(
      '--weights', help='Default: those in the package.')
  parser.add_argument(
      '--engine', choices=ENGINES, default='jax', help='Of both ways.')
  parser.add_argument(
      '--batch', type=whole(1), help='Targets at once.')
  parser.add_argument(
      '--frames', type=whole(2), default=60,
      help='The first so many of each sequence.')
  parser.add_argument(
      '--rounds', type=whole(1), default=8, help='Turns of each.')


_TOLERANCE = 0.01  # pixels


def run(args: argparse.Namespace) -> None:
  """Measures and prints."""
  one_device_per_core()
  videos = [video.first(args.frames) for video in load_otb(
      args.data, zero_based=args.zero_based)]
  weights = find_weights(args.weights)
  batch, _ = load_for_sequences(weights, [len(v) for v in videos],
                                batch=args.batch, engine=args.engine)
  one = OneTarget(load_tracker(weights, engine=args.engine))
  largest = np.abs(_boxes(batch, videos) - _boxes(one, videos)).max()
  frames = sum(map(len, videos))
  busy: dict[str, list[float]] = {}
  found = turns.take_turns({
      name: functools.partial(
          _speed, tracker, videos, frames, busy.setdefault(name, []))
      for name, tracker in (('one at a time', one), ('batch', batch))},
      args.rounds)
  print(f'{len(videos)} sequences, {frames} frames; {args.engine}; '
        f'{hardware()}; {jax.local_device_count()} devices, {batch.slots} at '
        f'once; {args.rounds} turns')
  for name, speeds in found.items():
    print(f'{name:14} {np.median(speeds):8.1f} frames/s (median), '
          f'{np.median(busy[name]):.2f} cores busy')
  print('batch / one at a time: '
        f'{turns.ratio(found["batch"], found["one at a time"])}')
  print(f'largest difference of a box: {largest:.2g} pixels')
  if not largest <= _TOLERANCE:
    raise UserError(f'the boxes of both ways differ by {largest:.2g} pixels; '
                    f'expected {_TOLERANCE} at most')


def _boxes(tracker: MultiTargetTracker, videos: Sequence[Video]) -> np.ndarray:
  """All boxes, by sequence."""
  tasks = {one_pass_task(video): video.name for video in videos}
  ended = {tasks[done.task]: done for done in drive(tracker, list(tasks))}
  for done in ended.values():
    if done.error:
      raise done.error
  return np.concatenate([ended[name].result for name in sorted(ended)])


def _speed(tracker: MultiTargetTracker, videos: Sequence[Video], frames: int,
           busy: list[float]) -> float:
  """Frames per second; `busy` gets how many cores worked, on the average."""
  wall, cpu = time.perf_counter(), time.process_time()
  _boxes(tracker, videos)
  cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
  busy.append(cpu / wall)
  return frames / wall


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.evaluation'))
