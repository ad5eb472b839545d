"""What the program costs around the network, tracking a decoded video.

  python -m perf.overhead

What `siamkpn track` runs, on frames in memory, writing nothing, in turns with
the bare step on a crop that was cut before: in JAX the jitted update with all
of its arguments on the device, in ONNX Runtime the run of the session. What the
first takes longer is the program's: cutting the crop, handing arrays over,
choosing the box (in ONNX Runtime), the loop; and what the network itself loses
when it does not run again and again on data that are in the caches. What the
network takes within the program tells them apart; `update` with a network that
takes no time tells what the program's work costs where nothing has taken its
place in the caches.
"""

import argparse
import collections
import functools
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import jax

from perf import circumstances, networks, turns
from perf.inputs import video
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.load import decode_config
from siamkpn_jax.tracking.one_target import OneTarget, SingleTracker
from siamkpn_jax.tracking.packed import update_packed
from siamkpn_jax.tracking.track_files import Outputs, track_to_files
from siamkpn_jax.tracking.tracker import Tracker
from siamkpn_jax.tracking.video import FrameSource

_FIRST = 2  # frames that `TrackSummary.fps` leaves out


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  networks.add_flags(parser)
  parser.add_argument(
      '--frames', type=whole(1), default=15, help='In a turn.')
  turns.add_flags(parser, rounds=20)
  parser.add_argument('--json', help='JSON file to write the figures to.')


def run(args: argparse.Namespace) -> None:
  """Measures, prints and writes."""
  output = check_output(args.json, '--json', suffixes=('.json',))
  threads = turns.use_threads(args.threads)
  config, variables = networks.load(args)
  decoding = decode_config(config)
  loads = [circumstances.load()]
  ours, other, idle = (Tracker(build_model(config.model), variables, decoding)
                       for _ in range(3))
  inside = _time_jax(ours, args.frames)
  repeated = lambda step: functools.partial(
      turns.timed, step, args.frames, before=1)
  ways = {'JAX, program': _program(ours, args.frames),
          'JAX, network in the program': inside.mean,
          'JAX, without network': repeated(_jax_idle(idle)),
          'JAX, step': repeated(_jax_step(other))}
  network = networks.serialized(config, variables)
  if network:
    from siamkpn_jax.tracking.onnx.tracker import OnnxTracker
    onnx, idle_onnx = (OnnxTracker(network, decoding, threads=threads)
                       for _ in range(2))
    inside = _time_onnx(onnx, args.frames)
    ways |= {
        'ONNX Runtime, program': _program(onnx, args.frames),
        'ONNX Runtime, network in the program': inside.mean,
        'ONNX Runtime, without network': repeated(_onnx_idle(idle_onnx)),
        'ONNX Runtime, step': repeated(networks.onnx_step(onnx))}
  names = list(ways)
  result = turns.summarize(
      turns.take_turns(ways, args.rounds),
      [(names[k + way], names[k + 3])
       for k in range(0, len(names), 4) for way in range(3)])
  result |= {'rounds': args.rounds, 'frames_per_turn': args.frames}
  result |= circumstances.describe(threads, [*loads, circumstances.load()])
  print(turns.report(result, 'ms per frame'))
  print(circumstances.line(result))
  if output:
    circumstances.write(output, result)


def _program(tracker: SingleTracker, count: int) -> Callable[[], float]:
  """Seconds for each frame of the whole program, beginning with a warm-up."""
  frames, box_xywh = video()
  some = [frames[k % len(frames)] for k in range(count + _FIRST)]
  box = tuple(box_xywh.tolist())

  def way() -> float:
    summary = track_to_files(
        OneTarget(tracker), FrameSource('memory', iter(some)),
        [GivenBox(None, 1, box)], Outputs(), progress=False)
    assert summary.fps
    return 1 / summary.fps

  way()
  return way


class _Clock:
  """Seconds of a function's calls, the last `count` of them."""

  def __init__(self, count: int) -> None:
    self._seconds: collections.deque[float] = collections.deque(maxlen=count)

  def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose calls count."""
    def call(*given: Any, **named: Any) -> Any:
      start = time.perf_counter()
      found = function(*given, **named)
      self._seconds.append(time.perf_counter() - start)
      return found
    return call

  def mean(self) -> float:
    """Of these calls."""
    return sum(self._seconds) / len(self._seconds)


def _time_jax(tracker: Tracker, count: int) -> _Clock:
  """Of the network, from arrays of the host to its results."""
  clock, update = _Clock(count), tracker._batch._update
  tracker._batch._update = clock.timed(  # type: ignore[assignment]
      lambda *given, **named: jax.block_until_ready(update(*given, **named)))
  return clock


def _time_onnx(tracker: Any, count: int) -> _Clock:
  """The same in ONNX Runtime, where each target has a session."""
  clock, start = _Clock(count), tracker._start
  def start_timed(*given: Any) -> Any:
    target = start(*given)
    tracker._search._session = types.SimpleNamespace(
        run=clock.timed(tracker._session.run))
    return target
  tracker._start = start_timed
  return clock


def _jax_step(tracker: Tracker) -> Callable[[], Any]:
  """The jitted update of a tracker without a target so far."""
  frames, box_xywh = video()
  tracker.init(frames[0], box_xywh)
  _, step = networks.compiled_step(tracker._batch, frames[1])
  return lambda: jax.block_until_ready(step())


def _jax_idle(tracker: Tracker) -> Callable[[], Any]:
  """`update` of a tracker whose network has run before."""
  frames, box_xywh = video()
  tracker.init(frames[0], box_xywh)
  static, given = networks.jitted_part(tracker._batch, frames[1])
  found: Any = jax.device_get(update_packed(*given, **static))
  tracker._batch._update = lambda *given: found  # type: ignore[assignment]
  return lambda: tracker.update(frames[1])


def _onnx_idle(tracker: Any) -> Callable[[], Any]:
  """The same in ONNX Runtime."""
  frames, box_xywh = video()
  tracker.init(frames[0], box_xywh)
  found = networks.onnx_step(tracker)()
  tracker._search._session = types.SimpleNamespace(run=lambda *given: found)
  return lambda: tracker.update(frames[1])


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.overhead'))
