"""One-pass evaluation: success and precision, by the rule of OTB.

A tracker is started on the first frame and runs to the end. Success is the
fraction of frames whose overlap with the annotation is above a threshold,
precision the fraction whose centre is within a distance. Both are curves over
the threshold, one per sequence, and their mean over sequences is reported: the
area under the success curve (AUC), and the precision at 20 pixels.

Source: Wu, Lim, Yang, "Online Object Tracking: A Benchmark", CVPR 2013, with
the conventions of the GOT-10k toolkit (protocol `otb_got10k`): 21 overlap
thresholds compared by >, 51 distances by <=, boxes not clipped to the image,
the first frame counted. One difference: frames without a valid annotation are
left out, where that toolkit counts them as lost. OTB-100 has two such frames,
the last of Board and of Twinnings, which move the AUC of KCF by 2e-5;
`exclude_invalid=False` gives the toolkit's numbers exactly.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from siamkpn_jax import boxes
from siamkpn_jax.errors import UserError

PROTOCOL = 'otb_got10k'
OVERLAP_THRESHOLDS = np.linspace(0, 1, 21)
DISTANCE_THRESHOLDS = np.arange(51)  # pixels


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
  """Curves of one sequence, or their mean over several.

  Attributes:
    success_curve: [21] fraction of frames above each overlap threshold.
    precision_curve: [51] fraction of frames within each distance in pixels.
  """
  success_curve: np.ndarray
  precision_curve: np.ndarray

  @property
  def success_auc(self) -> float:
    """Area under the success curve, 0..1."""
    return success_auc(self.success_curve)

  @property
  def precision_20(self) -> float:
    """Fraction of frames whose centre is within 20 pixels."""
    return precision_20(self.precision_curve)


def success_curve(ious: np.ndarray,
                  thresholds: np.ndarray = OVERLAP_THRESHOLDS) -> np.ndarray:
  """[t] overlaps, [n] thresholds -> [n] fraction of overlaps above (>) each.

  NaN overlaps count as lost. Raises ValueError if there is no overlap.
  """
  return _fractions(np.greater, ious, thresholds)


def precision_curve(
    distances: np.ndarray,
    thresholds: np.ndarray = DISTANCE_THRESHOLDS) -> np.ndarray:
  """[t] distances, [n] thresholds -> [n] fraction within (<=) each.

  NaN distances count as lost. Raises ValueError if there is no distance.
  """
  return _fractions(np.less_equal, distances, thresholds)


def success_auc(curve: np.ndarray) -> float:
  """Area under a success curve [n]: the mean over its thresholds."""
  return float(np.mean(curve))


def precision_20(curve: np.ndarray) -> float:
  """The value at 20 pixels of a precision curve [51]."""
  if np.shape(curve) != DISTANCE_THRESHOLDS.shape:
    raise ValueError(f'expected a curve of shape {DISTANCE_THRESHOLDS.shape}, '
                     f'got {np.shape(curve)}')
  return float(curve[20])


def centre_distances(a_xywh: np.ndarray, b_xywh: np.ndarray) -> np.ndarray:
  """[..., 4], [..., 4] -> [...] Euclidean distance of centres in pixels.

  The centre is x + (w - 1) / 2, as the toolkits have it.
  """
  a = a_xywh[..., :2] + (a_xywh[..., 2:] - 1) / 2
  b = b_xywh[..., :2] + (b_xywh[..., 2:] - 1) / 2
  return np.hypot(*np.moveaxis(a - b, -1, 0))


def valid_boxes(boxes_xywh: np.ndarray) -> np.ndarray:
  """[..., 4] -> [...] bool: all numbers finite and both sides positive."""
  return (np.isfinite(boxes_xywh).all(axis=-1) &
          (boxes_xywh[..., 2:] > 0).all(axis=-1))


def score_sequence(result_xywh: np.ndarray, truth_xywh: np.ndarray, *,
                   exclude_invalid: bool = True) -> Score:
  """Scores the boxes of one sequence.

  Args:
    result_xywh: [t, 4] the tracker's boxes in pixels, first frame included.
    truth_xywh: [t, 4] the annotation, in the same pixel convention.
    exclude_invalid: leave out frames without a valid annotation; if False they
      count as lost.

  Raises:
    UserError: the counts differ, or no frame has a valid annotation.
  """
  if len(result_xywh) != len(truth_xywh):
    raise UserError(f'{len(result_xywh)} result boxes but {len(truth_xywh)} '
                    'annotated boxes; expected one result per frame; run the '
                    'tracker again on this sequence')
  valid = valid_boxes(truth_xywh)
  if not valid.any():
    raise UserError(f'none of the {len(truth_xywh)} annotated boxes is valid; '
                    'expected finite numbers and sides > 0')
  result_xywh, truth_xywh = result_xywh[valid], truth_xywh[valid]
  # A lost frame adds nothing to either curve, so it only lowers the share.
  share = 1.0 if exclude_invalid else float(valid.mean())
  # Rounding may lift the overlap of equal boxes above 1, the last threshold.
  ious = np.minimum(boxes.iou_xywh(result_xywh, truth_xywh), 1.0)
  distances = centre_distances(result_xywh, truth_xywh)
  return Score(share * success_curve(ious), share * precision_curve(distances))


def mean_score(scores: Mapping[str, Score]) -> Score:
  """Mean over sequences: each counts the same, however long it is.

  Raises:
    ValueError: there is no score.
  """
  if not scores:
    raise ValueError('no scores to average')
  return Score(np.mean([s.success_curve for s in scores.values()], axis=0),
               np.mean([s.precision_curve for s in scores.values()], axis=0))


def _fractions(compare: np.ufunc, values: np.ndarray,
               thresholds: np.ndarray) -> np.ndarray:
  values = np.asarray(values, np.float64)
  if values.ndim != 1 or not values.size:
    raise ValueError(f'expected [t] values, t >= 1, got shape {values.shape}')
  return compare(values[:, None], thresholds).mean(axis=0)  # t x n -> n
