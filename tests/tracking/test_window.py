"""Windows, with a person and a screen that are played.

By hand, they were tried with OpenCV's own windows on a virtual screen.
"""

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking import window

FRAME = np.zeros((48, 64, 3), np.uint8)
DOWN, MOVE, UP = (window.cv2.EVENT_LBUTTONDOWN, window.cv2.EVENT_MOUSEMOVE,
                  window.cv2.EVENT_LBUTTONUP)
NOTHING = 255  # no key, as waitKey's -1 & 0xff


class Screen:
  """In the place of OpenCV's windows.

  Each wait takes the next of `acts`: a key, mouse events, or 'close'.
  """

  def __init__(self, acts):
    self._acts, self.sizes, self.shown, self.open = iter(acts), [], [], False

  def namedWindow(self, name, flags):
    self.open = True

  def resizeWindow(self, name, width, height):
    self.sizes.append((width, height))

  def imshow(self, name, frame):
    assert self.open
    self.shown.append(frame.copy())

  def setMouseCallback(self, name, call):
    self._call = call

  def getWindowProperty(self, name, what):
    if not self.open:
      raise window.cv2.error('NULL guiReceiver')  # as Qt has it
    return 1.0

  def destroyAllWindows(self):
    self.open = False

  def waitKey(self, milliseconds):
    act = next(self._acts, NOTHING)
    if act == 'close':
      self.open = False
    elif isinstance(act, list):
      for event in act:
        self._call(*event, 0, None)
    else:
      return act
    return -1


@pytest.fixture
def screen(monkeypatch):
  monkeypatch.setattr(window, 'why_no_window', lambda: '')

  def play(*acts):
    made = Screen(acts)
    for name in ('namedWindow', 'resizeWindow', 'imshow', 'setMouseCallback',
                 'getWindowProperty', 'destroyAllWindows', 'waitKey'):
      monkeypatch.setattr(window.cv2, name, getattr(made, name))
    return made

  return play


def drag(*places):
  """From the first place to the last."""
  return [(DOWN, *places[0]), *((MOVE, *place) for place in places[1:]),
          (UP, *places[-1])]


@pytest.mark.parametrize('end', [13, ord(' '), 27, ord('q'), 'close'])
def test_boxes_are_drawn(screen, end):
  """In any direction, over the border, by whatever ends it."""
  made = screen(drag((5, 6), (9, 9), (25, 16)), drag((90, 40), (30, -7)), end)
  boxes = window.draw_boxes(FRAME)
  assert [(box.frame, box.id, box.box_xywh) for box in boxes] == [
      (None, 1, (5, 6, 20, 10)), (None, 2, (30, 0, 34, 40))]
  assert not made.open
  assert made.shown[-1].any() and not made.shown[0].any()


def test_a_box_is_seen_while_it_is_drawn(screen):
  made = screen([(DOWN, 5, 6), (MOVE, 25, 16)], NOTHING, [(UP, 25, 16)], 13)
  window.draw_boxes(FRAME)
  assert made.shown[1][6, 5:25].any() and not FRAME.any()


def test_boxes_are_taken_back(screen):
  """The last one; clicks and lines are none."""
  screen(8, drag((1, 1), (9, 9)), drag((2, 2), (20, 30)), 8, drag((5, 5)),
         drag((7, 7), (7, 30)), [(MOVE, 9, 9), (UP, 9, 9)], 13)
  (box,) = window.draw_boxes(FRAME)
  assert box.box_xywh == (1, 1, 8, 8)


def test_none_drawn(screen):
  made = screen(13)
  with pytest.raises(UserError, match='no box drawn'):
    window.draw_boxes(FRAME)
  assert not made.open


@pytest.mark.parametrize(('size', 'want'), [
    ((64, 48), (64, 48)), ((1920, 1080), (1280, 720)),
    ((1080, 1920), (405, 720)), ((3840, 1600), (1280, 533))])
def test_windows_fit_on_screens(screen, size, want):
  made = screen()
  with window.LiveView() as view:
    for _ in range(2):
      assert not view.show(np.zeros((size[1], size[0], 3), np.uint8))
  assert made.sizes == [want] and len(made.shown) == 2 and not made.open


@pytest.mark.parametrize('act', [ord('q'), 27, 'close'])
def test_a_live_view_is_ended(screen, act):
  """A closed window is not opened again."""
  made = screen(NOTHING, act)
  with window.LiveView() as view:
    ended = [view.show(FRAME) for _ in range(3 if act == 'close' else 2)]
  assert ended == [False] * (len(ended) - 1) + [True]
  assert len(made.shown) == 2


@pytest.mark.parametrize('call', [lambda: window.draw_boxes(FRAME),
                                  window.LiveView])
def test_no_display(monkeypatch, call):
  monkeypatch.setattr(window, 'why_no_window', lambda: 'there is no display')
  with pytest.raises(UserError, match='there is no display'):
    call()
