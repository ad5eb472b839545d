"""Windows: boxes drawn with the mouse, and a live view; where there are any."""

import os
import sys

import cv2
import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.drawing import color_of
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.quiet import quiet

_NAME = 'siamkpn track'
_QUIT = (ord('q'), 27)  # Esc
_END = (13, 10, ord(' '), *_QUIT)  # Enter
_BACK = (8, 127, ord('z'))  # Backspace, Delete
_LARGEST = (1280, 720)  # of a window that is opened, pixels
_PAUSE = 30  # milliseconds between two looks at the mouse

Corner = tuple[int, int]


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

  `cv2.selectROIs` would not notice Ctrl-C, nor that its window is closed.

  Raises:
    UserError: there is no window, or nothing was drawn.
  """
  why = why_no_window()
  if why:
    raise UserError(f'missing --box: a window to draw it cannot be opened '
                    f'({why}); expected --box X,Y,W,H or --boxes-from FILE')
  print('drag a box around each object in the window; Enter tracks them, '
        'Backspace takes the last one back', file=sys.stderr)
  drawing = Drawing(frame.shape[1], frame.shape[0])
  with quiet():
    _open(frame)
    cv2.setMouseCallback(_NAME, drawing.mouse)
    while True:
      cv2.imshow(_NAME, drawing.picture(frame))
      key = cv2.waitKey(_PAUSE) & 0xff
      if key in _BACK:
        drawing.back()
      if key in _END or _closed():
        break
    cv2.destroyAllWindows()
    cv2.waitKey(1)  # or it stays on the screen
  if not drawing.boxes:
    raise UserError('no box drawn; expected one around each object to track')
  return [GivenBox(None, number, (left, top, right - left, bottom - top))
          for number, ((left, top), (right, bottom)) in enumerate(
              drawing.boxes, start=1)]


class Drawing:
  """Boxes that are drawn in a frame.

  Attributes:
    boxes: their corners, left top and right bottom.
  """

  def __init__(self, width: int, height: int) -> None:
    self._size = width, height
    self._ends: tuple[Corner, Corner] | None = None  # of the one being drawn
    self.boxes: list[tuple[Corner, Corner]] = []

  def mouse(self, event: int, x: int, y: int, *others: object) -> None:
    """Takes what the mouse does, in pixels of the frame."""
    del others
    place = tuple(min(max(at, 0), side) for at, side in zip(
        (x, y), self._size, strict=True))
    if event == cv2.EVENT_LBUTTONDOWN:
      self._ends = (place[0], place[1]), (place[0], place[1])
    elif self._ends and event in (cv2.EVENT_MOUSEMOVE, cv2.EVENT_LBUTTONUP):
      self._ends = self._ends[0], (place[0], place[1])
    if event == cv2.EVENT_LBUTTONUP and self._ends:
      low, high = _sorted(*self._ends)
      self._ends = None
      if low[0] < high[0] and low[1] < high[1]:
        self.boxes.append((low, high))

  def back(self) -> None:
    """Forgets the last one."""
    if self.boxes:
      self.boxes.pop()

  def picture(self, frame: np.ndarray) -> np.ndarray:
    """The frame with all boxes."""
    shown = frame.copy()
    thickness = max(1, round(min(self._size) / 200))
    drawn = list(self.boxes)
    if self._ends:
      drawn.append(_sorted(*self._ends))
    for number, (low, high) in enumerate(drawn, start=1):
      cv2.rectangle(shown, low, high, color_of(number), thickness)
    return shown


class LiveView:
  """Shows frames while they are tracked; a context manager."""

  def __init__(self) -> None:
    """Opens nothing yet.

    Raises:
      UserError: there is no window.
    """
    self._open = False
    why = why_no_window()
    if why:
      raise UserError(f'--show: a window cannot be opened ({why}); expected a '
                      'display, or no --show')

  def show(self, frame: np.ndarray) -> bool:
    """Shows a frame; whether the user ends it: q, Esc, a closed window."""
    with quiet():
      if self._open and _closed():  # showing a frame would open it again
        return True
      if not self._open:
        _open(frame)
        self._open = True
      cv2.imshow(_NAME, frame)
      return cv2.waitKey(1) & 0xff in _QUIT

  def __enter__(self) -> 'LiveView':
    return self

  def __exit__(self, *exc_info: object) -> None:
    with quiet():
      cv2.destroyAllWindows()


def _open(frame: np.ndarray) -> None:
  """A window as large as the frame, if that fits on most screens."""
  height, width = frame.shape[:2]
  scale = min(1.0, _LARGEST[0] / width, _LARGEST[1] / height)
  cv2.namedWindow(_NAME, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO |
                  cv2.WINDOW_GUI_NORMAL)
  cv2.resizeWindow(_NAME, round(width * scale), round(height * scale))


def _closed() -> bool:
  try:
    return cv2.getWindowProperty(_NAME, cv2.WND_PROP_VISIBLE) < 1
  except cv2.error:  # of Qt, when the last window has gone
    return True


def _sorted(a: Corner, b: Corner) -> tuple[Corner, Corner]:
  return ((min(a[0], b[0]), min(a[1], b[1])),
          (max(a[0], b[0]), max(a[1], b[1])))
