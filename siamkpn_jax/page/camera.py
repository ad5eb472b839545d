"""The webcam: frames in by a WebSocket, boxes out; of frames only the newest.

The browser sends JPEG files. A text message before one says what is to happen
in that frame: {"add": [x, y, w, h]} or {"remove": id}. Answers are JSON.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from siamkpn_jax.core.boxes import check_box
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import decode_image, jpeg_header
from siamkpn_jax.page.following import PREPARING
from siamkpn_jax.page.groups import Group, Seen, Trackers
from siamkpn_jax.page.limits import SECONDS_OF_CAMERA, SIDE_SHOWN, Limits
from siamkpn_jax.page.turns import Job, Turns

Answer = dict[str, Any] | None  # None: the last one was told
Tell = Callable[[Answer], None]  # may be called by any thread
_LOOK = 0.3  # seconds between two looks at the queue
_CHANGES = 32  # that may wait for a frame
_ANSWERS = 32  # that may wait for the browser, which gets no more until then


class Newest:
  """What has come and was not taken: the newest frame, all changes."""

  def __init__(self) -> None:
    self._ready = threading.Condition()
    self._frame: bytes | None = None
    self._changes: list[dict[str, Any]] = []
    self._closed = False
    self.dropped = 0

  def put(self, frame: bytes) -> None:
    """Adds a frame, in place of one that was not taken."""
    with self._ready:
      self.dropped += self._frame is not None
      self._frame = frame
      self._ready.notify()

  def change(self, change: dict[str, Any]) -> None:
    """Adds what is to happen in the next frame."""
    with self._ready:
      if len(self._changes) < _CHANGES:
        self._changes.append(change)

  def close(self) -> None:
    """Ends it."""
    with self._ready:
      self._closed = True
      self._ready.notify()

  def take(self, patience: float
           ) -> tuple[bytes, list[dict[str, Any]]] | None:
    """The newest frame and the changes; None at the end, or if none comes."""
    with self._ready:
      self._ready.wait_for(lambda: self._closed or self._frame is not None,
                           patience)
      if self._closed or self._frame is None:
        return None
      frame, self._frame = self._frame, None
      changes, self._changes = self._changes, []
      return frame, changes


async def serve_camera(socket: WebSocket, turns: Turns, trackers: Trackers,
                       limits: Limits) -> None:
  """Talks to one browser until it leaves, or its time is over."""
  loop, newest = asyncio.get_running_loop(), Newest()
  answers: asyncio.Queue[Answer] = asyncio.Queue()

  def add(answer: Answer) -> None:
    if answers.qsize() < _ANSWERS or not answer or 'rows' not in answer:
      answers.put_nowait(answer)

  def tell(answer: Answer) -> None:
    with contextlib.suppress(RuntimeError):  # the server ends
      loop.call_soon_threadsafe(add, answer)

  job = Job('camera', lambda job: track(newest, trackers, limits, job, tell))
  turns.submit(job)
  tasks = [asyncio.create_task(work) for work in (
      _listen(socket, newest), _answer(socket, answers))]
  watching = asyncio.create_task(_watch(job, turns, tell))
  try:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
  finally:
    turns.stop(job)
    newest.close()
    for task in (*tasks, watching):
      task.cancel()
    # They may have ended by the browser's leaving, which is no error.
    await asyncio.gather(*tasks, watching, return_exceptions=True)
  with contextlib.suppress(RuntimeError, WebSocketDisconnect):
    await socket.close()


async def _listen(socket: WebSocket, newest: Newest) -> None:
  while (message := await socket.receive())['type'] == 'websocket.receive':
    if message.get('bytes') is not None:
      newest.put(message['bytes'])
      continue
    with contextlib.suppress(ValueError, RecursionError):  # as of a request
      change = json.loads(message.get('text') or '')
      if isinstance(change, dict):
        newest.change(change)


async def _answer(socket: WebSocket, answers: asyncio.Queue[Answer]) -> None:
  while (answer := await answers.get()) is not None:
    await socket.send_json(answer)


async def _watch(job: Job, turns: Turns, tell: Tell) -> None:
  """Says how many are before this one, and that the job has ended."""
  before = -1
  while job.state != 'ended':
    if job.state == 'waiting' and turns.position(job) != before:
      before = turns.position(job)
      tell({'queue': before})
    await asyncio.sleep(_LOOK)
  tell({'end': job.error or 'the camera has ended'})
  tell(None)


def track(newest: Newest, trackers: Trackers, limits: Limits, job: Job,
          tell: Tell) -> None:
  """Tracks in the frames that come, in the thread of the jobs."""
  tell({'note': PREPARING})
  session = Session(trackers.group(limits.targets, stages=False), limits)
  tell({'ready': True})
  until = time.monotonic() + SECONDS_OF_CAMERA
  while not job.stop.is_set() and time.monotonic() < until:
    taken = newest.take(limits.patience)
    if taken is None:
      return
    job.done += 1
    tell({**session.frame(*taken), 'frame': job.done,
          'dropped': newest.dropped})
  if not job.stop.is_set():
    job.error = (f'a camera is tracked for {SECONDS_OF_CAMERA:.0f} seconds, so '
                 'that others have their turn; start it again')


class Session:
  """The targets in front of one camera."""

  def __init__(self, group: Group, limits: Limits):
    self._group, self._most = group, limits.targets
    self._numbers: dict[int, int] = {}  # in the group -> for the browser
    self._last = 0

  def frame(self, data: bytes, changes: list[dict[str, Any]]
            ) -> dict[str, Any]:
    """What is to be told of a frame."""
    try:
      frame = decoded(data)
    except UserError as error:
      return {'error': str(error), 'rows': []}
    for change in changes:
      self._remove(change.get('remove'))
    rows = [self._row(key, seen)
            for key, seen in self._group.update(frame).items()
            ] if self._numbers else []
    errors = []
    for change in changes:
      if 'add' in change:
        try:
          rows.append(self._add(frame, change['add']))
        except UserError as error:
          errors.append(str(error))
    return {'rows': rows, **({'error': errors[-1]} if errors else {})}

  def _add(self, frame: np.ndarray, box: Any) -> list[Any]:
    box_xywh = check_box(box, frame.shape[1], frame.shape[0])
    if len(self._numbers) >= self._most:
      raise UserError(f'{self._most} targets are the most that are tracked at '
                      'once here; remove one')
    self._last += 1
    self._numbers[self._group.add(frame, box_xywh)] = self._last
    return [self._last, *box_xywh.tolist(), 1., 'tracked', None]

  def _remove(self, number: Any) -> None:
    for key, known in tuple(self._numbers.items()):
      if known == number:
        del self._numbers[key]
        self._group.remove(key)

  def _row(self, key: int, seen: Seen) -> list[Any]:
    """id, x, y, w, h, score, state, heatmaps."""
    return [self._numbers[key],
            *(round(float(side), 1) for side in seen.result.box_xywh),
            round(float(seen.result.score), 3), seen.result.state,
            seen.heatmaps.reshape(len(seen.heatmaps), -1).tolist()]


def decoded(data: bytes) -> np.ndarray:
  """[h, w, 3] uint8 BGR of a JPEG file that a browser made.

  Raises:
    UserError: it is none, or too large.
  """
  header = jpeg_header(data)
  if header is None:
    raise UserError('a frame of the camera is no JPEG; expected one: reload '
                    'the page')
  if max(header.width, header.height) > SIDE_SHOWN:
    raise UserError(f'a frame of the camera has {header.width}x{header.height} '
                    f'pixels; expected at most {SIDE_SHOWN} per side: reload '
                    'the page')
  return decode_image(data, 'a frame of the camera', cv2.IMREAD_COLOR)
