"""How sure a score makes: the probability that the box is right.

A score is a number of the network's making; how often a box is right at it has
to be measured, for each network anew (perf/confidence.py).
"""

import dataclasses
import hashlib
import math
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Calibration:
  """A logistic curve, from a score to a confidence.

  Attributes:
    slope: of the log odds.
    middle: score at which the confidence is 0.5.
  """

  slope: float
  middle: float

  def __call__(self, score: float) -> float:
    """Probability that a box of this score overlaps its target by half."""
    odds = self.slope * (score - self.middle)
    return 0.5 + 0.5 * math.tanh(odds / 2)  # which does not overflow


# By size and SHA-256 of a file of weights, by precision and by search size: a
# curve is that of one network with its own settings; docs/tracking.md has the
# measurement.
_MEASURED = {
    (2437304, '5deff2181619159fdab576615a5e37bd'
     '239d254e84eabff860e3d01f987d3d9c'): {  # kpn3s_nano
         'float32': {207: Calibration(slope=10.33, middle=0.576),
                     255: Calibration(slope=10.64, middle=0.594)},
         'int8': {207: Calibration(slope=10.80, middle=0.546),
                  255: Calibration(slope=10.81, middle=0.596)}}}


def calibration_of(path: Path, search_size: int,
                   precision: str = 'float32') -> Calibration | None:
  """What has been measured of a file of weights, whatever its name.

  Args:
    path: of the file.
    search_size: of tracking; another one has the curve of the nearest.
    precision: of the network, 'float32' or 'int8'.

  Returns:
    The curve; None for other weights, and for what cannot be read: loading it
    will tell.
  """
  try:
    if path.stat().st_size not in {size for size, _ in _MEASURED}:
      return None  # a large file is not read for nothing
    with path.open('rb') as content:
      digest = hashlib.file_digest(content, 'sha256').hexdigest()
    curves = _MEASURED.get((path.stat().st_size, digest), {}).get(precision)
  except OSError:
    return None
  if curves is None:
    return None
  return curves[min(curves, key=lambda size: abs(size - search_size))]
