"""Several trackers on the same sequences: scores, and speed in turns."""

import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from perf import circumstances
from perf.opencv_trackers import rounded
from perf.sequences import otb_score
from perf.turns import quartiles, row
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import read_image
from siamkpn_jax.evaluation.formats.sequences import Video
from siamkpn_jax.evaluation.metrics import ope
from siamkpn_jax.evaluation.metrics.protocols import OTB
from siamkpn_jax.tracking.one_target import SingleTracker

Say = Callable[[str], None]
_CLOSE = 0.05  # pixels


@dataclasses.dataclass(frozen=True)
class Scores:
  """What the trackers did on all sequences.

  Attributes:
    boxes_xywh: tracker -> sequence -> [t, 4].
    scores: tracker -> sequence -> score.
    lost: tracker -> frames in which it did not find the target, by itself.
  """

  boxes_xywh: dict[str, dict[str, np.ndarray]]
  scores: dict[str, dict[str, ope.Score]]
  lost: dict[str, int]

  def differences(self, a: str, b: str) -> dict[str, float]:
    """How the boxes of two trackers differ: pixels, and frames."""
    apart = np.concatenate([
        np.abs(boxes - self.boxes_xywh[b][name]).max(axis=1)
        for name, boxes in self.boxes_xywh[a].items()])
    return {'pixels': float(apart.max()), 'frames': len(apart),
            f'frames_above_{_CLOSE}': int((apart > _CLOSE).sum())}


@dataclasses.dataclass(frozen=True)
class Speeds:
  """How fast a tracker was in each round.

  Attributes:
    frames_per_second: by the clock.
    cpu_ms: of all threads, per frame; other processes hardly change it.
  """

  frames_per_second: list[float]
  cpu_ms: list[float]


def show_progress(text: str) -> None:
  """A line of progress, which the next one replaces on a terminal."""
  end = '\r' if sys.stderr.isatty() else '\n'
  print(f'{text:79}', end=end, file=sys.stderr, flush=True)


def run_all(trackers: Mapping[str, SingleTracker], videos: Sequence[Video],
            say: Say = show_progress) -> Scores:
  """Each tracker once over each sequence, from its first box."""
  found = Scores({n: {} for n in trackers}, {n: {} for n in trackers},
                 dict.fromkeys(trackers, 0))
  total, done, start = sum(map(len, videos)), 0, time.perf_counter()
  for video in videos:
    boxes: dict[str, list[np.ndarray]] = {name: [] for name in trackers}
    for k, path in enumerate(video.frames):
      frame = read_image(path)
      for name, tracker in trackers.items():
        if k == 0:
          box_xywh = rounded(video.boxes_xywh[0])
          tracker.init(frame, box_xywh)
        else:
          seen, box_xywh = tracker.update(frame)
          found.lost[name] += not seen
        boxes[name].append(np.asarray(box_xywh, np.float64))
      done += 1
      if done % 20 == 0:
        left = (time.perf_counter() - start) * (total - done) / done
        say(f'scores: {video.name}, frame {done} of {total}, {left:.0f} s left')
    for name, rows in boxes.items():
      result = np.array(rows)
      found.boxes_xywh[name][video.name] = result
      found.scores[name][video.name] = otb_score(
          result, video.boxes_xywh, video.origin)
  return found


def take_rounds(trackers: Mapping[str, SingleTracker], videos: Sequence[Video],
                rounds: int, frames: int, say: Say = show_progress
                ) -> dict[str, Speeds]:
  """The speed of each tracker, round by round.

  Args:
    trackers: by name.
    videos: a round takes the next one, of which the part moves on.
    rounds: how many; in each, every tracker tracks the same part.
    frames: of a part, and one more to start from.
    say: takes a line of progress.

  Raises:
    UserError: a sequence of one frame.
  """
  short = next((v.name for v in videos if len(v) < 2), None)
  if short:
    raise UserError(f'sequence {short} has one frame; expected two at least; '
                    'leave it out by --sequences')
  speeds = {name: Speeds([], []) for name in trackers}
  rng = np.random.default_rng(0)
  for k in range(rounds):
    video = videos[k % len(videos)]
    start = _start(video, frames, k // len(videos))
    part = [read_image(p) for p in video.frames[start:start + frames + 1]]
    box_xywh = rounded(video.boxes_xywh[start])
    # By chance: what follows another tracker finds its traces.
    for name in rng.permutation(list(trackers)).tolist():
      say(f'speed: round {k + 1} of {rounds}, {video.name}, {name}')
      tracker = trackers[name]
      tracker.init(part[0], box_xywh)
      if k == 0:
        tracker.update(part[1])  # may compile
        tracker.init(part[0], box_xywh)
      wall, cpu = time.perf_counter(), time.process_time()
      for frame in part[1:]:
        tracker.update(frame)
      cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
      speeds[name].frames_per_second.append((len(part) - 1) / wall)
      speeds[name].cpu_ms.append(1e3 * cpu / (len(part) - 1))
  return speeds


def _start(video: Video, frames: int, turn: int) -> int:
  """The first frame of a sequence's part in its n-th turn: one with a box."""
  last = max(len(video) - frames - 1, 0)
  known = np.flatnonzero(ope.valid_boxes(video.boxes_xywh[:last + 1]))
  return int(known[turn * frames % len(known)])


def summarize(scores: Scores | None, speeds: Mapping[str, Speeds],
              missing: Mapping[str, str], peer: str) -> dict[str, Any]:
  """All figures, ready for JSON."""
  trackers: dict[str, dict[str, Any]] = {}
  for name, speed in speeds.items():
    entry: dict[str, Any] = {
        'frames_per_second': quartiles(speed.frames_per_second),
        'cpu_ms': quartiles(speed.cpu_ms),
        'by_round': dataclasses.asdict(speed)}
    if peer in speeds:
      entry['speed_ratio'] = quartiles(np.divide(
          speed.frames_per_second, speeds[peer].frames_per_second))
    if scores:
      mean = ope.mean_score(scores.scores[name])
      entry |= {**_figures(mean), 'frames_not_found': scores.lost[name],
                'sequences': {video: _figures(score) for video, score
                              in scores.scores[name].items()}}
    trackers[name] = entry
  return {'protocol': OTB.name, 'ratio_to': peer, 'trackers': trackers,
          'not_available': dict(missing)}


def _figures(score: ope.Score) -> dict[str, Any]:
  return {'success_auc': score.success_auc, 'precision_20': score.precision_20,
          'frames': score.frames}


def report(result: Mapping[str, Any], peer: str) -> str:
  """The tables in Markdown."""
  trackers = result['trackers']
  scored = any('success_auc' in entry for entry in trackers.values())
  head = ['tracker', *(['success AUC', 'precision at 20 px'] if scored else []),
          'frames/s', 'ms per frame', 'CPU ms', f'speed / {peer} (quartiles)']
  lines = [row(head), row(['---'] * len(head))]
  for name, entry in trackers.items():
    speed, ratio = entry['frames_per_second'], entry.get('speed_ratio')
    lines.append(row([
        name, *(f'{entry[key]:.3f}' for key in ('success_auc', 'precision_20')
                if scored),
        f'{speed["median"]:.1f}', f'{1e3 / speed["median"]:.2f}',
        f'{entry["cpu_ms"]["median"]:.2f}',
        f'{ratio["median"]:.2f} ({ratio["low"]:.2f} to {ratio["high"]:.2f})'
        if ratio else '-']))
  for name, why in result['not_available'].items():
    lines.append(row([name, f'not available: {why}',
                       *[''] * (len(head) - 2)]))
  if scored:
    lines += ['', 'Success AUC (precision at 20 px) by sequence:', '',
              *_by_sequence(trackers)]
  return '\n'.join([*lines, '', *_remarks(result)])


def _by_sequence(trackers: Mapping[str, Any]) -> list[str]:
  lines = [row(['sequence', *trackers]), row(['---'] * (len(trackers) + 1))]
  for video in next(iter(trackers.values()))['sequences']:
    parts = [entry['sequences'][video] for entry in trackers.values()]
    lines.append(row([video, *(
        f'{p["success_auc"]:.3f} ({p["precision_20"]:.2f})' for p in parts)]))
  return lines


def _remarks(result: Mapping[str, Any]) -> list[str]:
  lines = [f'{circumstances.line(result)}; {result["rounds"]} rounds of '
           f'{result["frames_per_turn"]} frames']
  apart = result.get('largest_difference_of_boxes')
  if apart:
    lines.append('boxes in ONNX Runtime against ours: '
                 + ', '.join(f'{k} {v:.4g}' for k, v in apart.items()))
  return lines
