"""Many experiments at once: who gets which frame, in which order, the end."""

import time
from concurrent import futures
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.run import batch_runner
from siamkpn_jax.evaluation.run.experiments import Action, Start, Task
from siamkpn_jax.tracking.targets import TrackResult


class _Many:
  """Gives the number of the frame as a box, and notes what it is asked."""

  def __init__(self, slots):
    self.slots = slots
    self.known = set()
    self.steps = []  # [(target, frame)] of every update
    self.starts = []  # (target, sequence, frame, box)

  def add(self, frame, box_xywh, hyperparameters=None):
    if box_xywh[0] < 0:
      raise UserError('outside')
    target = min(set(range(self.slots)) - self.known)
    self.known.add(target)
    self.starts.append((target, *_told(frame), box_xywh.tolist()))
    return target

  def remove(self, target):
    self.known.remove(target)

  def update(self, frames):
    assert frames.keys() <= self.known
    self.steps.append([(target, _told(f)) for target, f in frames.items()])
    return {target: TrackResult(True, np.array([*_told(frame), 1, 1]), 1.0)
            for target, frame in frames.items()}


def _told(frame):
  return int(frame[0, 0, 0]), int(frame[0, 0, 1])  # sequence, frame


@pytest.fixture
def make_images(tmp_path):
  """Writes images that tell their sequence and their number."""
  known = []

  def make(name, count):
    known.append(name)
    paths = []
    for i in range(count):
      image = np.full((4, 4, 3), (len(known) - 1, i, 0), np.uint8)
      paths.append(tmp_path / f'{name}_{i}.png')
      cv2.imwrite(str(paths[-1]), image)
    return tuple(paths)

  return make


def _task(name, frames, starts=(0,), waits=(), box=(1, 2, 3, 4)):
  """Returns the boxes that it was sent, None where it was not tracking."""
  def experiment():
    sent = []
    for i in range(len(frames)):
      if i in starts:
        sent.append((yield Start(np.array(box))))
      elif i in waits:
        sent.append((yield Action.SKIP))
      else:
        sent.append((yield Action.UPDATE).tolist())
    return sent

  return Task(name, frames, experiment)


@pytest.mark.parametrize('slots', [1, 2, 3, 8])
def test_every_course_gets_its_own_frames(make_images, slots):
  lengths = {'a': 3, 'b': 9, 'c': 1, 'd': 4, 'e': 2}
  tasks = [_task(name, make_images(name, n)) for name, n in lengths.items()]
  tracker = _Many(slots)
  ended = {done.task.name: done for done in batch_runner.drive(tracker, tasks)}
  assert ended.keys() == lengths.keys()
  for k, (name, n) in enumerate(lengths.items()):
    assert ended[name].result == [None, *([k, i, 1, 1] for i in range(1, n))]
    assert ended[name].error is None
    assert ended[name].seconds.shape == (n,) and (ended[name].seconds > 0).all()
  # The longest first; a slot that is free is given out at once.
  assert [s[1] for s in tracker.starts][:min(slots, 3)] == [1, 3, 0][:slots]
  assert len(tracker.steps) == {1: 14, 2: 8, 3: 8, 8: 8}[slots]
  for step in tracker.steps:
    assert len({target for target, _ in step}) == len(step)


def test_restarts_and_waits(make_images):
  frames = make_images('a', 8)
  tracker = _Many(2)
  (done,) = batch_runner.drive(tracker, [
      _task('a', frames, starts=(0, 5), waits=(3, 4))])
  assert done.result == [None, [0, 1, 1, 1], [0, 2, 1, 1], None, None, None,
                         [0, 6, 1, 1], [0, 7, 1, 1]]
  assert np.flatnonzero(np.isnan(done.seconds)).tolist() == [3, 4]
  assert [s[2] for s in tracker.starts] == [0, 5]


def test_experiment_that_asks_for_too_much(make_images):
  """One frame more than there are: it ends, with the reason."""
  def endless():
    yield Start(np.full(4, 2.0))
    while True:
      yield Action.UPDATE

  (done,) = batch_runner.drive(_Many(2), [
      Task('a', make_images('a', 3), endless)])
  assert str(done.error) == 'sequence a: has 3 images; expected at least 4'


def test_trouble_with_one_does_not_end_the_others(make_images):
  unreadable = make_images('a', 5)
  unreadable[2].write_bytes(b'no image')
  refused = make_images('b', 4)
  fine = make_images('c', 6)

  def complains():
    yield Start(np.full(4, 2.0))
    yield Action.UPDATE
    raise UserError('no box')

  tracker = _Many(2)
  ended = {d.task.name: d for d in batch_runner.drive(tracker, [
      _task('a', unreadable), _task('b', refused, box=(-1, 0, 4, 4)),
      _task('c', fine), Task('d', make_images('d', 9), complains)])}
  assert 'a_2.png: this image cannot' in str(ended['a'].error)
  assert str(ended['b'].error) == (
      'sequence b, frame 1: cannot start the tracker: outside')
  assert str(ended['d'].error) == 'no box'
  assert ended['c'].error is None and len(ended['c'].result) == 6


def test_tasks_of_one_video_share_its_images(make_images, monkeypatch):
  """Read once for all that go side by side, an end or an error apart."""
  frames = make_images('a', 9)
  read, count = batch_runner.read_image, []
  monkeypatch.setattr(batch_runner, 'read_image',
                      lambda path: count.append(path) or read(path))

  def ends_early():
    yield Start(np.full(4, 2.0))
    yield Action.UPDATE
    raise UserError('enough')

  ended = {d.task.name: d for d in batch_runner.drive(_Many(4), [
      _task('x', frames), Task('y', frames, ends_early),
      _task('z', frames, starts=(0, 4))])}
  assert sorted(count) == sorted(frames)
  assert len(ended['x'].result) == len(ended['z'].result) == 9
  assert str(ended['y'].error) == 'enough'
  frames[5].write_bytes(b'no image')
  ended = list(batch_runner.drive(
      _Many(4), [_task('x', frames), _task('y', frames)]))
  assert all('a_5.png' in str(done.error) for done in ended)
  assert len(ended) == 2


def test_gives_up_when_asked_to(make_images):
  asked = iter([False] * 4 + [True])
  tracker = _Many(1)
  assert not list(batch_runner.drive(tracker, [_task('a', make_images('a', 9))],
                               stop=lambda: next(asked)))
  assert len(tracker.steps) == 3


@pytest.mark.parametrize('slots', [1, 3])
def test_memory_is_bounded(make_images, monkeypatch, slots):
  """However many and long sequences there are, few images wait."""
  waiting = [0, 0]  # now, most
  read, update = batch_runner.read_image, _Many.update

  def counted(path):
    waiting[0] += 1
    waiting[1] = max(waiting)
    return read(path)

  def slow(self, frames):
    time.sleep(0.01)  # the readers could run far ahead
    waiting[0] -= len(frames)
    return update(self, frames)

  monkeypatch.setattr(batch_runner, 'read_image', counted)
  monkeypatch.setattr(_Many, 'update', slow)
  tasks = [_task(str(k), make_images(str(k), 30)) for k in range(6)]
  assert len(list(batch_runner.drive(_Many(slots), tasks))) == 6
  # First frames of sequences are not counted down.
  assert waiting[1] <= 6 + (10 if slots == 1 else 3 * 3)


def test_frames_are_read_ahead_but_bounded(monkeypatch):
  read = []
  monkeypatch.setattr(batch_runner, 'read_image',
                      lambda path: read.append(path) or np.zeros((1, 1, 3)))
  paths = [Path(f'{i}.png') for i in range(12)]
  with futures.ThreadPoolExecutor(1) as pool:
    frames = batch_runner.read_frames(paths, 3, pool)
    next(frames)
    deadline = time.monotonic() + 5
    while len(read) < 4 and time.monotonic() < deadline:
      time.sleep(0.01)
    time.sleep(0.05)
    assert read == paths[:4]
    assert len(list(frames)) == 11
  assert read == paths
