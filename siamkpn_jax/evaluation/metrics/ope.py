"""One-pass evaluation: success, precision and normalized precision.

A tracker is started on the first frame and runs to the end. Success is the
fraction of frames whose overlap with the annotation is above a threshold,
precision the fraction whose center is within a distance, normalized precision
the same with the distance in sides of the annotated box. All are curves over
the threshold, one per sequence, and their mean over sequences is reported: the
area under the success curve (AUC), the precision at 20 pixels, the normalized
precision at 0.2.

Which frames count is the protocol's affair: see protocols.py. Sources: Wu, Lim,
Yang, "Online Object Tracking: A Benchmark", CVPR 2013; Mueller et al.,
"TrackingNet", ECCV 2018, for the normalized precision (whose area from 0 to 0.5
TrackingNet reports, and whose value at 0.2 LaSOT and pysot do).
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from siamkpn_jax.core import boxes
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.metrics.protocols import OTB_GOT10K, OnePass

PROTOCOL = OTB_GOT10K.name
OVERLAP_THRESHOLDS = np.array(OTB_GOT10K.overlap_thresholds)
DISTANCE_THRESHOLDS = np.arange(51)  # pixels
NORM_THRESHOLDS = DISTANCE_THRESHOLDS / 100  # sides of the annotated box


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
  """Curves of one sequence, or their mean over several.

  Attributes:
    success_curve: [21] fraction of frames above each overlap threshold.
    precision_curve: [51] fraction of frames within each distance in pixels.
    norm_precision_curve: [51] the same in hundredths of the annotated sides.
    frames: how many frames counted.
  """
  success_curve: np.ndarray
  precision_curve: np.ndarray
  norm_precision_curve: np.ndarray
  frames: int = 0

  @property
  def success_auc(self) -> float:
    """Area under the success curve, 0..1."""
    return success_auc(self.success_curve)

  @property
  def precision_20(self) -> float:
    """Fraction of frames whose center is within 20 pixels."""
    return precision_20(self.precision_curve)

  @property
  def norm_precision(self) -> float:
    """Fraction of frames whose center is within 0.2 annotated sides."""
    return float(self.norm_precision_curve[20])

  @property
  def norm_precision_auc(self) -> float:
    """Area under the curve of normalized precision from 0 to 0.5, 0..1."""
    return float(np.mean(self.norm_precision_curve))


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


def centers(boxes_xywh: np.ndarray) -> np.ndarray:
  """[..., 4] -> [..., 2] centers x + (w - 1) / 2, as the toolkits have it."""
  return boxes_xywh[..., :2] + (boxes_xywh[..., 2:] - 1) / 2


def valid_boxes(boxes_xywh: np.ndarray) -> np.ndarray:
  """[..., 4] -> [...] bool: all numbers finite and both sides positive."""
  return (np.isfinite(boxes_xywh).all(axis=-1) &
          (boxes_xywh[..., 2:] > 0).all(axis=-1))


def score_sequence(result_xywh: np.ndarray, truth_xywh: np.ndarray, *,
                   protocol: OnePass = OTB_GOT10K,
                   visible: np.ndarray | None = None) -> Score:
  """Scores the boxes of one sequence.

  Args:
    result_xywh: [t, 4] the tracker's boxes in pixels, first frame included.
      NaN and infinite numbers are allowed: see the protocol.
    truth_xywh: [t, 4] the annotation, in the same pixel convention.
    protocol: the rule.
    visible: [t] False where the target is marked as absent; None: nowhere.

  Raises:
    UserError: the counts differ and the protocol refuses that, or there is no
      frame to score.
  """
  if visible is None or protocol.absence == 'ignored':
    visible = np.ones(len(truth_xywh), bool)
  count = _common_length(len(result_xywh), len(truth_xywh), protocol)
  truth = np.asarray(truth_xywh, np.float64)[:count]
  result = _repaired(np.asarray(result_xywh, np.float64)[:count], truth,
                     protocol)
  kept = counted_frames(truth, protocol)
  if not kept.any():
    raise UserError(f'none of the {count} annotated boxes is valid; expected '
                    'at least one: correct the annotation')
  return _score(result[kept], truth[kept], visible[:count][kept], protocol)


def counted_frames(truth_xywh: np.ndarray, protocol: OnePass) -> np.ndarray:
  """[t, 4] annotation -> [t] bool: the frames that count by a protocol."""
  nan = np.isnan(truth_xywh).any(axis=1)
  return ~nan if protocol.nan_annotation == 'left_out' else np.full_like(
      nan, True)


def mean_score(scores: Mapping[str, Score]) -> Score:
  """Mean over sequences: each counts the same, however long it is.

  Raises:
    ValueError: there is no score.
  """
  if not scores:
    raise ValueError('no scores to average')
  every = list(scores.values())
  return Score(np.mean([s.success_curve for s in every], axis=0),
               np.mean([s.precision_curve for s in every], axis=0),
               np.mean([s.norm_precision_curve for s in every], axis=0),
               sum(s.frames for s in every))


def _common_length(results: int, truths: int, protocol: OnePass) -> int:
  fine = (results == truths or
          (results < truths and protocol.short == 'scored') or
          (results > truths and protocol.long == 'cut'))
  if not fine or not min(results, truths):
    raise UserError(f'{results} result boxes but {truths} annotated boxes; '
                    'expected one result per frame: run the tracker again on '
                    'this sequence')
  return min(results, truths)


def _repaired(result: np.ndarray, truth: np.ndarray,
              protocol: OnePass) -> np.ndarray:
  """Broken boxes and the first one replaced as the protocol says."""
  if protocol.broken_box != 'lost':
    nan = np.isnan(result).sum(axis=1)
    enough = 1 if protocol.broken_box == 'previous' else 4
    broken = (nan >= enough) | (result[:, 2:] <= 0).any(axis=1)
    broken &= ~np.isnan(truth).any(axis=1)
    broken[0] = False  # nothing is before it
    result = result[np.maximum.accumulate(
        np.where(broken, 0, np.arange(len(result))))]
  if protocol.first_box == 'annotation':
    result = np.concatenate([truth[:1], result[1:]])
  return result


def _score(result: np.ndarray, truth: np.ndarray, visible: np.ndarray,
           protocol: OnePass) -> Score:
  """[t, 4], [t, 4], [t] -> curves; any number may be NaN or infinite."""
  # Sides of 0 are divided by as pysot does.
  sides = np.where(truth[:, 2:] == 0, 1e-16, truth[:, 2:])
  with np.errstate(all='ignore'):
    # Rounding may lift the overlap of equal boxes above 1, the last threshold.
    overlaps = np.minimum(boxes.iou_xywh(result, truth), 1.0)
    distances = _distances(result, truth, np.ones_like(sides), protocol)
    norm_distances = _distances(result, truth, sides, protocol)
  needed = {'nothing': truth[:, :0], 'sides': truth[:, 2:], 'all': truth}
  annotated = (needed[protocol.overlap_needs] > 0).all(axis=1)
  overlaps = np.where(annotated & visible, overlaps, -1)
  return Score(
      success_curve(overlaps, np.array(protocol.overlap_thresholds)),
      precision_curve(np.where(visible, distances, np.inf)),
      precision_curve(np.where(visible, norm_distances, np.inf),
                      NORM_THRESHOLDS),
      frames=len(truth))


def _distances(result: np.ndarray, truth: np.ndarray, unit: np.ndarray,
               protocol: OnePass) -> np.ndarray:
  """[t] distances of centers in units [t, 2], -1 where none is needed."""
  ours, theirs = centers(result) / unit, centers(truth) / unit
  needed = {'nothing': truth[:, :0], 'center': theirs, 'all': truth}
  known = (needed[protocol.distance_needs] > 0).all(axis=1)
  return np.where(known, _length(ours - theirs), -1)


def _length(vectors: np.ndarray) -> np.ndarray:
  """[..., 2] -> [...] as the toolkits compute it: np.hypot rounds otherwise."""
  return np.sqrt(np.square(vectors).sum(axis=-1))


def _fractions(compare: np.ufunc, values: np.ndarray,
               thresholds: np.ndarray) -> np.ndarray:
  values = np.asarray(values, np.float64)
  if values.ndim != 1 or not values.size:
    raise ValueError(f'expected [t] values, t >= 1, got shape {values.shape}')
  return compare(values[:, None], thresholds).mean(axis=0)  # t x n -> n
