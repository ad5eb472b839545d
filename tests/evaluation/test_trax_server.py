"""The TraX server: what it reads, what it answers, and nothing else on stdout.

The tests write the client's side of the protocol themselves. The tracker is a
stand-in, except in the last tests.
"""

import base64
import os
import shlex
import sys

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.trax import server
from siamkpn_jax.tracking import load
from tests.commands import assert_one_line

HELLO = ('@@TRAX:hello "trax.name=siamkpn_jax" "trax.family=SiamKPN" '
         '"trax.image=path;buffer;" "trax.region=rectangle;polygon;" '
         '"trax.description=" "trax.version=4" "trax.channels=color;"')

class Stub:
  """Its boxes tell the frame's color and size, and the box of its start."""

  started = None
  score = 0.25

  def init(self, frame, box_xywh):
    print('Python', end='')
    os.write(1, b'a C library')
    self.started = list(map(float, box_xywh))
    if self.started[0] < 0:
      raise UserError('outside')

  def update(self, frame):
    print('noise')
    if frame[0, 0, 0] == 98:
      raise ValueError('a bug')
    if frame[0, 0, 0] == 99:
      return True, np.full(4, np.nan)
    return True, np.array([*frame[0, 0, :2], frame.shape[1], self.started[2]])


@pytest.fixture(autouse=True)
def stub(monkeypatch):
  """In the place of the tracker with weights, for the conversations."""
  monkeypatch.setattr(load, 'load_tracker', lambda weights, engine: Stub())
  monkeypatch.setattr(server, 'warm_up', lambda tracker: None)


@pytest.fixture
def needs_trax():
  pytest.importorskip('trax', reason="needs vot-trax: pip install '.[vot]'")


@pytest.fixture
def frame(tmp_path, needs_trax):
  """Returns a function that writes a frame and gives the client's message."""

  def make(*color, width=40):
    path = tmp_path / f'{color[0]} "frame".png'
    cv2.imwrite(str(path), np.full((30, width, 3), color, np.uint8))
    quoted = str(path).replace('"', '\\"')
    return f'@@TRAX:frame "file://{quoted}"'

  return make


@pytest.fixture
def talk(command, tmp_path):
  """Returns a function that sends messages to the server's stdin."""

  def run(*messages):
    path = tmp_path / 'messages.txt'
    path.write_text('\n'.join(messages) + '\n')
    stdin = os.dup(0)
    with path.open('rb') as file:
      os.dup2(file.fileno(), 0)
    try:
      return command('trax', '--weights', tmp_path)
    finally:
      os.dup2(stdin, 0)
      os.close(stdin)

  return run


def _states(done):
  """The answers; checks that there is nothing else on standard output."""
  hello, *answers, _ = done.stdout.split('\n')
  assert hello.rstrip() == HELLO
  return [shlex.split(answer) for answer in answers]


def test_answers(talk, frame):
  """A start, two frames, a start after a failure, another frame."""
  done = talk('@@TRAX:initialize "1.5000,2,30,40"', frame(1, 2, 3),
               frame(11, 12, 13, width=44), frame(21, 22, 23),
               '@@TRAX:initialize', '@@TRAX:initialize "5,6,7,8"',
               frame(2, 2, 3), frame(31, 32, 33), '@@TRAX:quit')
  assert done.returncode == 0, done.stderr
  confidence = 'confidence=0.25'
  assert _states(done) == [
      ['@@TRAX:state', '1.5000,2.0000,30.0000,40.0000'],
      ['@@TRAX:state', '11.0000,12.0000,44.0000,30.0000', confidence],
      ['@@TRAX:state', '21.0000,22.0000,40.0000,30.0000', confidence],
      ['@@TRAX:state', '5.0000,6.0000,7.0000,8.0000'],
      ['@@TRAX:state', '31.0000,32.0000,40.0000,7.0000', confidence]]
  assert 'Python' in done.stderr and 'a C library' in done.stderr


@pytest.mark.parametrize(('polygon', 'box'), [
    ((1, 2, 11, 2, 11, 8, 1, 8), (1, 2, 11, 7)),
    # A square of area 200 on its corner, and that area's upright square.
    ((10, 0, 20, 10, 10, 20, 0, 10), (2.9289, 2.9289, 15.1421, 15.1421)),
    ((4, 1, 9, 5, 2, 6), (2, 1, 8, 6)),
])
def test_polygons(talk, frame, polygon, box):
  done = talk(f'@@TRAX:initialize "{",".join(map(str, polygon))}"',
               frame(1, 2, 3), '@@TRAX:quit')
  assert done.returncode == 0, done.stderr
  (_, text), = _states(done)
  np.testing.assert_allclose([float(v) for v in text.split(',')], box,
                             atol=1e-4)


def test_encoded_image(talk, needs_trax):
  _, data = cv2.imencode('.png', np.full((30, 50, 3), (7, 8, 9), np.uint8))
  message = (f'@@TRAX:frame "data:image/png;'
             f'{base64.b64encode(data.tobytes()).decode()}"')
  done = talk('@@TRAX:initialize "1,2,30,40"', message, message,
               '@@TRAX:quit')
  assert done.returncode == 0, done.stderr
  assert _states(done)[1][1] == '7.0000,8.0000,50.0000,30.0000'


def _refused(done, reason):
  """The client and the user are told why, each in one line."""
  last = _states(done)[-1]
  assert last[0] == '@@TRAX:quit' and reason in last[1], last
  assert done.returncode == 2
  assert f'error: {reason}' in done.stderr.splitlines()[-1]
  assert 'Traceback' not in done.stderr


def test_bad_requests(talk, frame, tmp_path):
  start = '@@TRAX:initialize "1,2,3,4"'
  first = frame(1, 2, 3)
  _refused(talk('@@TRAX:initialize "-1,2,3,4"', first), 'outside')
  _refused(talk('@@TRAX:initialize "1,2,9,2,5,2,3,2"', first),
           'the region [1.0, 2.0, 9.0, 2.0, 5.0, 2.0, 3.0, 2.0] has no area')
  _refused(talk(start, first, frame(99, 0, 0)),
           'the tracker returned the box [nan, nan, nan, nan]')
  _refused(talk(first), 'the TraX client sent a frame before a region')
  _refused(talk(start, first, start, first), 'the TraX client requests several')
  _refused(talk(start, start, first), 'the TraX client requests several')
  missing = tmp_path / 'missing.png'
  _refused(talk(start, first, f'@@TRAX:frame "file://{missing}"'),
           f'{missing}: this image cannot be read')


def test_a_bug_is_no_mistake_of_the_client(talk, frame, capfd):
  """Who runs the server sees where it is; the client is told."""
  with pytest.raises(ValueError, match='a bug'):
    talk('@@TRAX:initialize "1,2,3,4"', frame(1, 2, 3), frame(98, 0, 0))
  *_, last, _ = capfd.readouterr().out.split('\n')
  assert last.startswith('@@TRAX:quit') and 'a bug' in last


def test_client_is_gone(talk, needs_trax):
  done = talk()
  assert done.returncode == 2 and 'Traceback' not in done.stderr
  assert 'lost the connection to the TraX client' in done.stderr


def test_trax_is_missing(monkeypatch):
  monkeypatch.setitem(sys.modules, 'trax', None)
  with pytest.raises(UserError, match=r"pip install 'siamkpn_jax\[vot\]'"):
    server.import_trax()


def test_another_package_called_trax(command, monkeypatch, tmp_path):
  (tmp_path / 'trax').mkdir()
  for file in ('__init__.py', 'server.py'):
    (tmp_path / 'trax' / file).touch()
  monkeypatch.syspath_prepend(tmp_path)
  for name in [n for n in sys.modules if n.partition('.')[0] == 'trax']:
    monkeypatch.delitem(sys.modules, name)
  assert_one_line(command('trax', '--weights', tmp_path),
                  'another package of that name')
  for name in ('trax', 'trax.server'):
    monkeypatch.delitem(sys.modules, name)


def test_bad_flags(command, needs_trax, tmp_path, monkeypatch):
  monkeypatch.undo()  # the true tracker
  ini = tmp_path / 'trackers.ini'
  for message, flags in (
      ('no such checkpoint', ['--weights', tmp_path / 'missing']),
      ('expected the folder of a training', ['--weights', tmp_path,
                                             '--trackers_ini', ini]),
      ("--label 'a b'", ['--weights', tmp_path, '--trackers_ini', ini,
                         '--label', 'a b']),
      ('--weights: empty', ['--weights', '']),
      ('ends in .ini', ['--weights', tmp_path, '--trackers_ini',
                        tmp_path / 'trackers.yaml'])):
    assert_one_line(command('trax', *flags), message)
  assert not ini.exists()


def test_warm_up_leaves_nothing_to_compile(monkeypatch):
  monkeypatch.undo()  # the true tracker
  from tests.tracking.small import (
      compiled_programs,
      new_tracker,
      video,
  )
  tracker = new_tracker()
  server.warm_up(tracker)
  sizes = compiled_programs()
  frames, box = video()
  tracker.init(frames[0], box)
  for each in frames[1:]:
    tracker.update(each)
  assert sizes == compiled_programs()
