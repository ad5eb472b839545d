"""What is drawn into a frame: boxes, labels, heatmaps."""

import numpy as np
import pytest

from siamkpn_jax.tracking.drawing import color_of, draw_result
from siamkpn_jax.tracking.follow import FrameResult
from siamkpn_jax.tracking.targets import TrackResult
from tests.tracking.gray import gray_frame


def result_of(frame: np.ndarray, *boxes, found: bool = True) -> FrameResult:
  return FrameResult(7, 0.0, frame, {
      number: TrackResult(found, np.array(box), 0.93)
      for number, box in enumerate(boxes, start=1)})


def test_draw_result_leaves_the_frame_alone() -> None:
  frame = gray_frame(100, 320, 240)
  boxes = [100, 100, 50, 40], [200, 100, 50, 40]
  shown = draw_result(result_of(frame, *boxes))
  assert (frame == 100).all()
  colors = {tuple(shown[139 + 1, x].tolist()) for x in (120, 220)}
  assert colors == {color_of(1), color_of(2)}  # bottom edges
  assert shown[120, 120].tolist() == [100, 100, 100]  # inside
  assert (shown[:20, :20] > 200).any()  # the caption
  assert shown[94, 103].tolist() != [100, 100, 100]  # the label, above

  lost = draw_result(result_of(frame, *boxes, found=False))
  edge = (lost[140, 100:150] == color_of(1)).all(axis=-1)
  assert 0.3 < edge.mean() < 0.8  # dashed


def test_labels_have_the_confidence_where_it_is_wanted_and_known() -> None:
  """The score of a lost target is that of another place."""
  frame, box = gray_frame(100, 320, 240), np.array([100, 100, 50, 40])
  draw = lambda score, sure, wanted: draw_result(FrameResult(
      7, 0.0, frame, {1: TrackResult(False, box, score, sure)}),
                                                 confidence=wanted)
  plain = draw(0.87, None, True)
  np.testing.assert_array_equal(draw(0.87, 0.1, True), draw(0.1, None, True))
  np.testing.assert_array_equal(draw(0.87, 0.1, False), plain)
  assert (draw(0.87, 0.1, True) != plain).any()


@pytest.mark.parametrize('size', [(176, 144), (640, 480), (1920, 1080)])
def test_labels_do_not_hide_one_another(size: tuple[int, int]) -> None:
  """Two beside each other, and one below the caption."""
  frame = gray_frame(100, *size)
  scale = size[1] / 144
  boxes = [[scale * side for side in box] for box in (
      [60, 60, 12, 40], [75, 62, 12, 40], [2, 20, 12, 90])]
  alone = [draw_result(FrameResult(7, 0.0, frame, {
      number: TrackResult(True, np.array(box), 0.93)}))
      for number, box in enumerate(boxes, start=1)]
  shown = draw_result(result_of(frame, *boxes))
  for number, one in enumerate(alone, start=1):
    colored = [(image == color_of(number)).all(axis=-1).sum()
               for image in (shown, one)]
    assert colored[0] > 0.95 * colored[1]
  caption = draw_result(FrameResult(7, 0.0, frame, {}))
  dark = (caption < 20).all(axis=-1)
  assert ((shown < 20).all(axis=-1) & dark).sum() == dark.sum()


def test_heatmaps_of_many_leave_half_of_the_frame() -> None:
  sight = np.ones((3, 31, 31), np.float32), np.full((255, 255, 3), 50, np.uint8)
  shown = draw_result(FrameResult(7, 0.0, gray_frame(100, 320, 240), {},
                                  sights=dict.fromkeys(range(1, 9), sight)))
  assert (shown[20:119] == 100).all()
  for number in range(1, 9):
    assert (shown == color_of(number)).all(axis=-1).any()


def test_heatmaps_are_inset() -> None:
  heatmaps = np.zeros((3, 31, 31), np.float32)
  heatmaps[:, 15, 15] = 1, 0.5, 0.2
  crop = np.full((255, 255, 3), 50, np.uint8)
  result = FrameResult(7, 0.0, gray_frame(100, 320, 240), {},
                       sights={1: (heatmaps, crop)})
  shown = draw_result(result)
  assert (shown[:187, 30:] == 100).all() and (shown[187:, :161] == 100).all()
  for x in (187, 240, 293):  # brightest in the middle of each stage
    assert shown[213, x].sum(dtype=int) > 2 * shown[195, x].sum(dtype=int)
  for sight in ((heatmaps[:0], crop), (heatmaps, None)):
    shown = draw_result(FrameResult(7, 0.0, gray_frame(100, 320, 240), {},
                                    sights={1: sight}))
    assert (shown[180:] == 100).all()


@pytest.mark.parametrize('found', [True, False])
@pytest.mark.parametrize('box', [
    [-50, -50, 20, 20], [1e12, 0, 5, 5], [np.nan, 0, 5, 5], [0, 0, 1e9, 1e9]])
def test_draw_result_takes_any_box(box: list[float], found: bool) -> None:
  shown = draw_result(result_of(gray_frame(9), box, found=found))
  assert shown.shape == (48, 64, 3)
