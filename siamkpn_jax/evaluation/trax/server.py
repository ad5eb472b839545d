"""Tracks for a TraX client, such as the vot-toolkit.

The client starts this program, writes to its standard input and reads its
standard output. Per frame it sends an image, with the first frame, and after
every failure, also a region; the answer is a rectangle. Source: the TraX
protocol, version 4, as the package vot-trax implements it.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import decode_image, read_image
from siamkpn_jax.evaluation.formats.vot_sequences import starting_box
from siamkpn_jax.tracking.one_target import SingleTracker

Opening = Callable[[], contextlib.AbstractContextManager[None]]

_STDOUT, _STDERR = 1, 2  # file descriptors


def import_trax() -> Any:
  """The package vot-trax.

  Raises:
    UserError: it is not installed, or another package of that name is.
  """
  try:
    import trax.server
    if hasattr(trax.server, 'Server'):
      return trax
    reason = 'another package of that name'
  except (ImportError, OSError) as error:  # OSError: its library is not for us
    reason = str(error)
  raise UserError(f'package trax cannot be used ({reason}); expected the one '
                  "of vot-trax: pip install 'siamkpn_jax[vot]'")


@contextlib.contextmanager
def stdout_kept() -> Iterator[Opening]:
  """Sends to stderr what is printed in the block, by C libraries as well.

  A single character between two messages would break the protocol.

  Yields:
    A function; standard output is open only inside `with function():`.
  """
  sys.stdout.flush()
  stdout = os.dup(_STDOUT)

  @contextlib.contextmanager
  def opened() -> Iterator[None]:
    os.dup2(stdout, _STDOUT)
    try:
      yield
    finally:
      os.dup2(_STDERR, _STDOUT)

  os.dup2(_STDERR, _STDOUT)
  try:
    with contextlib.redirect_stdout(sys.stderr):
      yield opened
  finally:
    os.dup2(stdout, _STDOUT)
    os.close(stdout)


def warm_up(tracker: SingleTracker) -> None:
  """Compiles the tracker's programs, which serve frames of every size."""
  frame = np.zeros((64, 64, 3), np.uint8)
  tracker.init(frame, np.array([16.0, 16, 32, 32]))
  tracker.update(frame)


def serve(tracker: SingleTracker, opened: Opening) -> None:
  """Answers a client until it quits; `opened` is as of `stdout_kept`.

  Raises:
    UserError: an image that cannot be read, a region that cannot be started
      from, a box that is not finite, or the client is gone. The client is told
      why, too.
  """
  trax = import_trax()
  try:
    with opened():
      server = trax.server.Server(
          [trax.Region.RECTANGLE, trax.Region.POLYGON],
          # No raw images: libtrax 4.0.2 writes beyond its memory for them.
          [trax.Image.PATH, trax.Image.BUFFER],
          tracker_name='siamkpn_jax', tracker_family='SiamKPN')
    started = False
    while True:
      with opened():
        request = server.wait()
      if request.type == trax.TraxStatus.QUIT:
        return
      try:
        starts = request.type == trax.TraxStatus.INITIALIZE
        if not (starts or started):
          raise UserError('the TraX client sent a frame before a region; '
                          'expected the region of the target first')
        answer = _answer(tracker, request)
      except Exception as error:
        # Who has left is not told.
        with opened(), contextlib.suppress(trax.TraxException):
          server.quit(' '.join(str(error).split()))
        raise
      started = True
      with opened():
        server.status([answer])
  except trax.TraxException as error:
    raise UserError(f'lost the connection to the TraX client ({error}); '
                    'expected a client, such as the vot-toolkit, that starts '
                    'this program: see docs/vot.md') from error


def _answer(tracker: SingleTracker, request: Any) -> tuple[Any, dict[str, Any]]:
  """The rectangle, and its properties, that a request is answered with."""
  from trax import Rectangle, TraxStatus
  starts = request.type == TraxStatus.INITIALIZE
  if len(request.objects or ()) != int(starts):
    raise UserError('the TraX client requests several objects; expected one '
                    'per session')
  frame = _read(request.image)
  if starts:
    box_xywh = _starting_box(request.objects[0][0])
    tracker.init(frame, box_xywh)
    return Rectangle.create(*map(float, box_xywh)), {}
  _, box_xywh = tracker.update(frame)
  if not np.isfinite(box_xywh).all():
    raise UserError('the tracker returned the box '
                    f'{list(map(float, box_xywh))}; expected four finite '
                    'numbers: check the weights')
  return (Rectangle.create(*map(float, box_xywh)),
          {'confidence': tracker.score})


def _starting_box(region: Any) -> np.ndarray:
  """[4] xywh of a TraX region; a polygon may have any number of corners.

  Raises:
    UserError: it has no area.
  """
  from trax import Region
  if region.type == Region.RECTANGLE:
    return starting_box(list(region.bounds()))
  points = np.array(list(region))
  if len(points) != 4:  # no rotated rectangle: its bounding box
    low, high = points.min(axis=0), points.max(axis=0)
    return np.concatenate([low, high - low + 1])
  try:
    return starting_box(points.ravel().tolist())
  except ValueError as error:
    raise UserError(f'{error}; expected one with an area') from error


def _read(images: dict[str, Any]) -> np.ndarray:
  """[h, w, 3] uint8 BGR frame of a request.

  Raises:
    UserError: no color image, or one that cannot be read.
  """
  from trax import Image
  image = images.get('color')
  if image is None:
    raise UserError('the TraX client sent no image in the channel "color"; '
                    'expected one')
  if image.type() == Image.PATH:
    return read_image(Path(image.path()))
  return decode_image(image.buffer(), 'image in memory', cv2.IMREAD_COLOR)
