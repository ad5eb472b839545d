"""Many targets in one video: one batch tracker beside a `Tracker` for each.

  python -m perf.targets
  python -m perf.targets --config configs/kpn3s.py --frames 1 --rounds 3

Both follow the same targets through the same decoded frames, in turns, in each
engine: `load_batch_tracker` has one tracker for all, otherwise each target has
its own. Ms are per frame, of all targets. One target alone tells what each
costs. Adding targets and compiling are not counted. The boxes are compared.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from perf import circumstances, networks, turns
from perf.inputs import video
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.load import decode_config
from siamkpn_jax.tracking.tracker import Tracker

_TOLERANCE = 0.01  # pixels
_NAMES = {'jax': 'JAX', 'onnxruntime': 'ONNX Runtime'}


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  networks.add_flags(parser)
  parser.add_argument(
      '--targets', type=whole(2), default=8, help='In the video.')
  parser.add_argument(
      '--frames', type=whole(1, 15), default=4, help='In a turn.')
  turns.add_flags(parser, rounds=10)
  parser.add_argument('--json', help='JSON file to write the figures to.')


def run(args: argparse.Namespace) -> None:
  """Measures, prints and writes."""
  output = check_output(args.json, '--json', suffixes=('.json',))
  threads = turns.use_threads(args.threads)
  loads = [circumstances.load()]
  frames, boxes_xywh = video()[0], boxes(args.targets)
  ways: dict[str, Callable[[], float]] = {}
  pairs, apart = [], 0.0
  for engine, (together, separate) in _trackers(args).items():
    names = [f'{_NAMES[engine]}, {how}' for how in (
        'together', 'separate', 'one target')]
    numbers = [together.add(frames[0], box) for box in boxes_xywh]
    for tracker, box in zip(separate, boxes_xywh, strict=True):
      tracker.init(frames[0], box)
    for frame in frames[1:6]:  # the first one may compile
      found = together.update(frame)
      apart = max(apart, difference(
          [found[n].box_xywh for n in numbers],
          [tracker.update(frame)[1] for tracker in separate]))
    for name, update in zip(names, (
        together.update, lambda frame, all=separate: [
            tracker.update(frame) for tracker in all],
        separate[0].update), strict=True):
      ways[name] = _timed(update, frames[1:1 + args.frames])
    pairs += [(names[1], names[0]), (names[0], names[2])]
  if len(ways) > 3:
    pairs.append(('JAX, separate', 'ONNX Runtime, together'))
  result = turns.summarize(turns.take_turns(ways, args.rounds), pairs)
  result |= {'targets': args.targets, 'rounds': args.rounds,
             'largest_difference': apart}
  result |= circumstances.describe(threads, [*loads, circumstances.load()])
  print(turns.report(result, f'ms per frame of {args.targets} targets'))
  print(f'boxes differ by {apart:.2g} pixels; {circumstances.line(result)}')
  if output:
    circumstances.write(output, result)
  if not apart <= _TOLERANCE:
    raise UserError(f'the boxes of both ways differ by {apart:.2g} pixels; '
                    f'expected {_TOLERANCE} at most')


def boxes(count: int) -> np.ndarray:
  """[n, 4] around the target of `video`, none like another."""
  rng = np.random.default_rng(0)
  sides = rng.uniform(40, 90, (count, 2))
  return np.concatenate(
      [video()[1][:2] + rng.uniform(-60, 60, (count, 2)), sides], axis=1)


def difference(found: Sequence[Any], expected: Sequence[Any]) -> float:
  """The largest, in pixels; NaN counts as infinite."""
  apart = float(np.abs(np.subtract(found, expected)).max())
  return float('inf') if np.isnan(apart) else apart


def _trackers(args: argparse.Namespace) -> Mapping[str, tuple[Any, list[Any]]]:
  """By engine: one tracker of all targets, and one for each."""
  config, variables = networks.load(args)
  decoding, model = decode_config(config), build_model(config.model)
  count = range(args.targets)
  found: dict[str, tuple[Any, list[Any]]] = {'jax': (
      BatchTracker(model, variables, decoding, slots=args.targets),
      [Tracker(model, variables, decoding) for _ in count])}
  network = networks.serialized(config, variables)
  if network:
    from siamkpn_jax.tracking.onnx.batch_tracker import OnnxBatchTracker
    from siamkpn_jax.tracking.onnx.tracker import OnnxTracker
    found['onnxruntime'] = (
        OnnxBatchTracker(network, decoding, slots=args.targets),
        [OnnxTracker(network, decoding) for _ in count])
  return found


def _timed(update: Callable[[np.ndarray], Any], frames: Sequence[np.ndarray]
           ) -> Callable[[], float]:
  """Seconds for each frame; the same ones in every turn."""
  def way() -> float:
    start = time.perf_counter()
    for frame in frames:
      update(frame)
    return (time.perf_counter() - start) / len(frames)
  return way


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.targets'))
