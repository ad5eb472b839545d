"""What perf/size_feedback.py says of networks whose answers are known."""

import numpy as np
import pytest

from perf.size_feedback import WRONG, summarize

# A target of 60 x 40 crop pixels at the right size; too large a belief makes
# it smaller in the crop.
TRUE = np.array([60.0, 40.0]) / np.array([[1 / WRONG], [1], [WRONG]])


@pytest.mark.parametrize(('predicted', 'expected'), [
    (TRUE, (1, 1, 0)),  # it sees everything
    (np.broadcast_to(TRUE[1], (3, 2)), (0, 0, 0)),  # the usual size, always
    (1.1 * TRUE, (1, 1, 0.1)),
    (np.sqrt(TRUE * TRUE[1]), (0.5, 0.5, 0)),
    (np.stack([TRUE[:, 0], np.full(3, 40.0)], 1), (1, 0, 0))])
def test_feedback(predicted, expected):
  log = np.log(predicted / TRUE)
  np.testing.assert_allclose(summarize(np.stack([log] * 3)), expected,
                             atol=1e-9)
