"""What a clip keeps of its targets, in memory and in files."""

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.page.findings import Findings


def maps(value, stages=1):
  return np.full((stages, 31, 31), value, np.uint8)


def row(frame, target):
  return [frame, target, 1., 2., 3., 4., 0.5, 'tracked', 0., 0., 9., None]


def test_rows_and_heatmaps_of_targets(tmp_path):
  """Heatmaps of nothing but zeros are some; of other frames there are none."""
  found = Findings(tmp_path)
  for target in (1, 2):
    found.begin(target)
  found.add(row(5, 1))
  for frame, target, value, stages in (
      (6, 1, 0, 1), (9, 1, 7, 1), (5, 2, 8, 3)):
    found.add(row(frame, target), maps(value, stages))
  assert found.heatmaps(1, 6) == b'\x1f' + bytes(961)
  assert found.heatmaps(1, 9) == b'\x1f' + b'\7' * 961
  assert found.heatmaps(2, 5) == b'\x1f' + b'\x08' * 2883
  for target, frame in ((1, 5), (1, 7), (1, 10), (1, 0), (2, 6), (3, 5)):
    assert found.heatmaps(target, frame) == b''
  rows, following = found.rows()
  assert [one[:2] for one in rows] == [[5, 1], [6, 1], [9, 1], [5, 2]]
  assert [one[:2] for one in found.in_order()] == [[5, 1], [5, 2], [6, 1],
                                                   [9, 1]]
  assert found.rows(2) == (rows[2:], following)
  assert found.rows(following) == ([], following)


def test_nothing_is_left_of_removed_targets(tmp_path):
  """However many came and went; the others' rows keep their numbers."""
  found = Findings(tmp_path)
  found.begin(1)
  found.add(row(1, 1), maps(1))
  for target in range(2, 50):
    found.begin(target)
    found.add(row(1, target), maps(2))
    seen = found.rows()[1]
    found.remove(target)
    found.add(row(2, target), maps(3))  # of a frame that was under way
  found.add(row(2, 1), maps(4))
  assert [one[:2] for one in found.rows()[0]] == [[1, 1], [2, 1]]
  assert [one[:2] for one in found.rows(seen)[0]] == [[2, 1]]
  assert len(found._rows) == 2 and found.heatmaps(49, 1) == b''
  assert [path.name for path in tmp_path.iterdir()] == ['1.heatmaps']


def test_heatmaps_that_cannot_be_kept(tmp_path):
  """The folder is gone: a mistake for the job, no heatmaps for the page."""
  found = Findings(tmp_path / 'removed')
  found.begin(1)
  with pytest.raises(UserError, match='cannot be written'):
    found.add(row(1, 1), maps(1))
  assert found.heatmaps(1, 1) == b''
