"""perf/absences.py and what is drawn of it, with trackers that are known."""

import numpy as np
import pytest

from perf import absences, confidence, long_term
from perf.absences import Shot
from siamkpn_jax.core.errors import UserError

BOXES = np.array([[10, 10, 20, 20]] * 12, float)


def shot(name='one', level=0, boxes=BOXES):
  """Gray frames [40, 60, 3]."""
  return Shot(name, lambda: (np.full((40, 60, 3), level + t, np.uint8)
                             for t in range(len(boxes))),
              boxes, np.ones(len(boxes), bool))


class Still:
  """Stays, and is sure of frames up to a gray level."""

  confidence = None

  def init(self, frame, box):
    self.box = np.array(box)

  def update(self, frame):
    self.score = 0.9 if frame[0, 0, 0] < 50 else 0.1
    return self.score > 0.5, self.box


def test_a_cut_shows_another_video():
  """After a third, for a quarter; the target's own frames go on."""
  shots = [shot(str(k), 100 * (k == 5)) for k in range(6)]
  cut = absences.with_cuts(shots)[0]
  assert cut.present.tolist() == [True] * 4 + [False] * 3 + [True] * 5
  levels = [int(frame[0, 0, 0]) for frame in cut.frames()]
  assert levels == [0, 1, 2, 3, 101, 102, 103, 7, 8, 9, 10, 11]
  assert len({frame.shape for frame in cut.frames()}) == 1


@pytest.mark.parametrize('count', [2, 5, 10])
def test_a_cut_never_shows_the_video_itself(count):
  shots = [shot(str(k), 100 + 10 * k) for k in range(count)]
  for one, cut in zip(shots, absences.with_cuts(shots), strict=True):
    frames = zip(one.frames(), cut.frames(), strict=True)
    assert [(a == b).all() for a, b in frames] == cut.present.tolist()


def test_one_sequence_has_no_other():
  with pytest.raises(UserError, match='1 sequence: expected two or more'):
    absences.with_cuts([shot()])


def test_a_way():
  shots = [shot(str(k), 100 * (k == 5)) for k in range(6)]
  way = absences.follow(Still(), absences.with_cuts(shots)[0])
  assert way.overlaps.tolist() == [1] * 3 + [0] * 3 + [1] * 5
  assert way.found.tolist() == [True] * 3 + [False] * 3 + [True] * 5
  np.testing.assert_array_equal(way.confidence, way.scores)
  scores, right = confidence.outcomes([way, way])
  assert len(scores) == 22 and (right == (scores > 0.5)).all()
  # The largest threshold of the AUC is 1, which no overlap exceeds.
  assert '1.000  1.000  1.000  0.952  27.3%' in (
      long_term._line('name', 'on', [way]))
  picture = long_term.film_strip(way)
  assert picture.dtype == np.uint8 and picture.ndim == 3


def test_overlaps_are_of_what_is_in_the_frame():
  boxes = BOXES.copy()
  boxes[6] = [50, 10, 40, 20]  # 10 pixels of it
  tracker = Still()
  tracker.update = lambda frame: (True, np.array([50.0, 10, 10, 20]))
  tracker.score = 1.0
  assert absences.follow(tracker, shot(boxes=boxes)).overlaps[5] == (
      pytest.approx(1))


def test_the_plot_shows_every_bin_that_has_frames():
  table = confidence.reliability(np.array([0.05, 0.95, 0.95]),
                                 np.array([False, True, True]))
  axes = confidence.draw(table).axes
  assert [text.get_text() for text in axes[0].get_legend().get_texts()] == [
      'perfect', f'measured, error {table.error:.3f}']
  np.testing.assert_allclose(axes[0].lines[1].get_xydata(),
                             [[0.05, 0], [0.95, 1]])
