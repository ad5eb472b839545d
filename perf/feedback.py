"""What wrong sizes and the network's answers to them say together."""

import numpy as np

WRONG = 1.4  # factor of the size


def summarize(log: np.ndarray) -> np.ndarray:
  """Feedback of width and height, and the relative error at the right size.

  Args:
    log: [n, 3, 2] log of predicted / true width and height, where the tracker
      believes in a size that is too small by `WRONG`, right, and too large.

  Returns:
    [3] medians over the n.
  """
  slope = (log[:, 2] - log[:, 0]) / (2 * np.log(WRONG))
  error = np.expm1(np.median(np.abs(log[:, 1])))
  return np.array([*np.median(1 - slope, axis=0), error])
