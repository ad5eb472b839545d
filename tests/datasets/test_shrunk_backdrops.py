"""Backdrops of a small copy: as large as scenes need them, without bars."""

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.shrinking.pictures import backdrop_file
from tests.datasets.photographs import photograph, write_photograph


def test_a_backdrop_loses_its_bars_before_its_size(tmp_path):
  """What is between black bars is as large as the copy needs it."""
  wide = np.zeros((720, 1280, 3), np.uint8)
  wide[:, 400:880] = photograph(480, 720, 1)
  cv2.imwrite(str(tmp_path / 'wide.png'), wide)
  small = cv2.imdecode(np.frombuffer(
      backdrop_file(tmp_path / 'wide.png', 80), np.uint8), cv2.IMREAD_COLOR)
  assert abs(small.shape[1] - 380) <= 6 and abs(small.shape[0] - 570) <= 9


def test_a_picture_too_small_for_scenes_is_not_copied(tmp_path):
  write_photograph(tmp_path / 'small.png', 500, 230, seed=1)
  with pytest.raises(UserError, match='too small'):
    backdrop_file(tmp_path / 'small.png', 80)
