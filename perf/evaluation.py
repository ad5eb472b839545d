"""Frames per second of an evaluation, in batches and one sequence at a time.

  python -m perf.evaluation --data sequences --weights CHECKPOINT

Both ways alternate within the one run, from image files to boxes, on the same
frames: `BatchTracker` with --batch targets at once, divided over the cores (or
the GPUs), and `Tracker`, one sequence after the other, images read ahead.
Compiling is not counted. The boxes of both are compared.
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from absl import flags

from perf import turns
from siamkpn_jax import cli
from siamkpn_jax.core.cpu_devices import one_device_per_core
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.provenance import hardware
from siamkpn_jax.evaluation.formats.sequences import Video, load_otb
from siamkpn_jax.evaluation.run.batch_runner import drive
from siamkpn_jax.evaluation.run.experiments import Task, one_pass
from siamkpn_jax.evaluation.run.load import load_batch_tracker
from siamkpn_jax.evaluation.run.protocol import OneTarget, Tracker
from siamkpn_jax.tracking.tracker import load_tracker

_DATA = flags.DEFINE_string(
    'data', None, 'Folder of sequences in OTB layout.', required=True)
_WEIGHTS = flags.DEFINE_string('weights', None, 'Checkpoint.', required=True)
_BATCH = flags.DEFINE_integer('batch', None, 'Targets at once.', lower_bound=1)
_FRAMES = flags.DEFINE_integer(
    'frames', 60, 'The first so many of each sequence.', lower_bound=2)
_ROUNDS = flags.DEFINE_integer('rounds', 8, 'Turns of each.', lower_bound=1)

_TOLERANCE = 0.01  # pixels


def main(unused_argv: Sequence[str]) -> None:
  """Measures and prints."""
  one_device_per_core()
  videos = [dataclasses.replace(v, frames=v.frames[:_FRAMES.value],
                                boxes_xywh=v.boxes_xywh[:_FRAMES.value])
            for v in load_otb(_DATA.value)]
  batch, _ = load_batch_tracker(_WEIGHTS.value, [len(v) for v in videos],
                                 batch=_BATCH.value)
  one = OneTarget(load_tracker(Path(_WEIGHTS.value)))
  largest = np.abs(_boxes(batch, videos) - _boxes(one, videos)).max()
  frames = sum(map(len, videos))
  found = turns.take_turns(
      {'one at a time': lambda: frames / _seconds(one, videos),
       'batch': lambda: frames / _seconds(batch, videos)},
      _ROUNDS.value)
  print(f'{len(videos)} sequences, {frames} frames; {hardware()}; '
        f'{jax.local_device_count()} devices, {batch.slots} at once; '
        f'{_ROUNDS.value} turns')
  for name, speeds in found.items():
    print(f'{name:14} {np.median(speeds):8.1f} frames/s (median)')
  print('batch / one at a time: '
        f'{turns.ratio(found["batch"], found["one at a time"])}')
  print(f'largest difference of a box: {largest:.2g} pixels')
  if not largest <= _TOLERANCE:
    raise UserError(f'the boxes of both ways differ by {largest:.2g} pixels; '
                    f'expected {_TOLERANCE} at most')


def _boxes(tracker: Tracker, videos: Sequence[Video]) -> np.ndarray:
  """All boxes, by sequence."""
  tasks = {_task(video): video.name for video in videos}
  ended = {tasks[done.task]: done for done in drive(tracker, list(tasks))}
  for done in ended.values():
    if done.error:
      raise done.error
  return np.concatenate([ended[name].result for name in sorted(ended)])


def _seconds(tracker: Tracker, videos: Sequence[Video]) -> float:
  start = time.perf_counter()
  _boxes(tracker, videos)
  return time.perf_counter() - start


def _task(video: Video) -> Task:
  return Task(video.name, video.frames, lambda: one_pass(video))


if __name__ == '__main__':
  cli.run(main)
