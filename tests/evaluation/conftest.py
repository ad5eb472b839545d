"""Sequences on disk for the tests of this folder."""

import cv2
import numpy as np
import pytest

from tests.evaluation import vot_toolkit


@pytest.fixture
def make_sequence(tmp_path):
  """Returns a function that writes a small OTB sequence, 1-based."""

  def make(name, boxes, frames=None, annotation=None, numbers=None):
    folder = tmp_path / 'otb' / name
    (folder / 'img').mkdir(parents=True)
    count = len(boxes) if frames is None else frames
    for i, number in enumerate(numbers or range(1, count + 1)):
      image = np.full((24, 32, 3), i % 256, np.uint8)  # tells the frame
      cv2.imwrite(str(folder / 'img' / f'{number:04d}.png'), image)
    text = annotation or ''.join(
        ','.join(str(v) for v in box) + '\n' for box in boxes)
    (folder / 'groundtruth_rect.txt').write_text(text)
    return folder

  return make


@pytest.fixture(scope='session')
def toolkit(request):
  """The `bin` folder of an environment with the vot-toolkit, or skips."""
  return vot_toolkit.make_environment(
      request.config.cache.mkdir('vot_toolkit_0_7_4'))
