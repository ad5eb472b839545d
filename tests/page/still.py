"""Trackers whose targets never move, and what is asked of a server."""

import itertools
import threading
import time

import numpy as np

from siamkpn_jax.page.groups import Seen
from siamkpn_jax.tracking.targets import TrackResult
from tests.optional import import_or_skip

import_or_skip('httpx2', 'needs httpx2, by which starlette is tested')
testclient = import_or_skip('starlette.testclient',
                            'needs starlette, of the extra demo')

SIZE = (160, 120)
FRAMES = 8
BOX = [10, 20, 30, 40]


class Still:
  """A group whose targets never move; it waits for `gate` at every frame."""

  full = False

  def __init__(self, gate):
    self._gate, self._boxes, self._numbers = gate, {}, itertools.count()

  def add(self, frame, box):
    key = next(self._numbers)
    self._boxes[key] = np.array(box, float)
    return key

  def remove(self, target):
    del self._boxes[target]

  def update(self, frame):
    self._gate.wait(20)
    return {key: Seen(TrackResult(True, box, 0.75, 0.6),
                      np.full((1, 31, 31), 9, np.uint8), np.ones(4))
            for key, box in self._boxes.items()}


class StillTrackers:
  """In place of `Trackers`."""

  def __init__(self):
    self.gate = threading.Event()
    self.gate.set()
    self.asked = []

  def group(self, targets, *, stages):
    self.asked.append((targets, stages))
    return Still(self.gate)


def upload(client, data, **headers):
  return client.post('/api/videos', content=data, headers=headers)


def opened(client, data):
  answer = upload(client, data)
  assert answer.status_code == 201, answer.text
  path = f'/api/videos/{answer.json()["name"]}'
  settled(client, path)
  return path


def settled(client, path):
  """The state, when nothing is done any more."""
  until = time.monotonic() + 20
  while (state := client.get(path).json())['job']:
    assert time.monotonic() < until, state
    time.sleep(0.01)
  return state


def refused(answer, status, *words):
  assert answer.status_code == status, answer.text
  line = answer.json()['error']
  assert '\n' not in line and '/' not in line
  for word in words:
    assert word in line, line
