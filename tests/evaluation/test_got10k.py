"""GOT-10k's average overlap: cases worked by hand."""

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.metrics import got10k, ope

BOX = [10.0, 10.0, 10.0, 10.0]
FAR = [50.0, 50.0, 10.0, 10.0]


def _overlaps(result, truth, **options):
  return got10k.sequence_overlaps([np.array(result)], np.array(truth),
                                  **options)


def _ao(overlaps):
  return got10k.figures(overlaps)['ao']


def test_first_frame_and_hidden_frames_are_left_out():
  found = _overlaps([FAR, BOX, FAR, BOX], [BOX] * 4,
                    visible=np.array([True, True, False, True]))
  assert found.tolist() == [1, 1] and _ao(found) == 1
  none = _overlaps([BOX, BOX], [BOX] * 2, visible=np.array([True, False]))
  assert none.size == 0
  assert got10k.figures(none) == {'ao': None, 'sr50': None, 'sr75': None}


def test_rates_are_strict():
  """Overlaps 0.5 and 0.75 are no successes at 0.5 and 0.75."""
  half, most = [10.0, 10.0, 10.0, 5.0], [10.0, 10.0, 10.0, 7.5]
  found = _overlaps([BOX, half, most, BOX, FAR], [BOX] * 5)
  assert found.tolist() == [0.5, 0.75, 1, 0]
  assert got10k.figures(found) == {'ao': 0.5625, 'sr50': 0.5, 'sr75': 0.25}
  curve = ope.success_curve(found, got10k.THRESHOLDS)
  assert curve[49] == 0.75 and curve[50] == 0.5 and curve[100] == 0


def test_clipped_to_the_image():
  """Twice as wide as the image shows is no fault; the toolkit's odd corner."""
  truth, result = [[90.0, 0, 10, 10]] * 2, [[90.0, 0, 20, 10]] * 2
  assert _ao(_overlaps(result, truth)) == 0.5
  assert _ao(_overlaps(result, truth, frame_size=(100, 50))) == 1
  # A box that begins 10 pixels left of the image keeps its width.
  left = _overlaps([[-10.0, 0, 20, 10]] * 2, [[0.0, 0, 20, 10]] * 2,
                   frame_size=(100, 50))
  assert _ao(left) == 1


def test_broken_boxes_have_no_overlap():
  nan, inf = [np.nan] * 4, [0.0, 0, np.inf, np.inf]
  found = _overlaps([BOX, nan, inf, [20.0, 20, -10, -10]], [BOX] * 4)
  assert found.tolist() == [0, 0, 0]


def test_all_frames_count_the_same():
  short = _overlaps([BOX, BOX], [BOX] * 2)
  long = _overlaps([BOX, FAR, FAR, FAR], [BOX] * 4)
  assert _ao(np.concatenate([short, long])) == 0.25


def test_repetitions_and_counts():
  runs = [np.array([BOX, BOX]), np.array([BOX, FAR])]
  assert _ao(got10k.sequence_overlaps(runs, np.array([BOX, BOX]))) == 0.5
  with pytest.raises(UserError, match='3 result boxes but 2 annotated'):
    _overlaps([BOX] * 3, [BOX] * 2)
