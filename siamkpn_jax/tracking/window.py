"""Windows: boxes drawn with the mouse, and a live view; where there are any."""

import os
import sys

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.quiet import quiet

_NAME = 'siamkpn track'
_QUIT = (ord('q'), 27)  # Esc


def why_no_window() -> str:
  """What keeps windows from opening, and what to do; '' for nothing."""
  if not cv2.currentUIFramework():
    return ('this OpenCV has no windows: pip uninstall opencv-python-headless, '
            'pip install opencv-python')
  # Qt ends the process where it finds no display.
  if sys.platform.startswith('linux') and not (
      os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
    return 'there is no display'
  return ''


def draw_boxes(frame: np.ndarray) -> list[GivenBox]:
  """Lets the user draw boxes in a frame.

  Raises:
    UserError: there is no window, or nothing was drawn.
  """
  why = why_no_window()
  if why:
    raise UserError(f'missing --box: a window to draw it cannot be opened '
                    f'({why}); expected --box X,Y,W,H or --boxes-from FILE')
  print('draw a box around each object, Space after each one, Esc at the end',
        file=sys.stderr)
  with quiet():
    cv2.namedWindow(_NAME, cv2.WINDOW_NORMAL)
    drawn = cv2.selectROIs(_NAME, frame, showCrosshair=False)
    cv2.destroyWindow(_NAME)
  rows = [map(float, box) for box in drawn if min(box[2:]) > 0]
  boxes = [GivenBox(None, number, (left, top, width, height))
           for number, (left, top, width, height) in enumerate(rows, start=1)]
  if not boxes:
    raise UserError('no box drawn; expected one around each object to track')
  return boxes


class LiveView:
  """Shows frames while they are tracked; a context manager."""

  def __init__(self) -> None:
    """Opens nothing yet.

    Raises:
      UserError: there is no window.
    """
    why = why_no_window()
    if why:
      raise UserError(f'--show: a window cannot be opened ({why}); expected a '
                      'display, or no --show')

  def show(self, frame: np.ndarray) -> bool:
    """Shows a frame; returns whether the user wants to end (q or Esc)."""
    with quiet():
      cv2.imshow(_NAME, frame)
      return cv2.waitKey(1) & 0xff in _QUIT

  def __enter__(self) -> 'LiveView':
    return self

  def __exit__(self, *exc_info: object) -> None:
    with quiet():
      cv2.destroyAllWindows()
