"""GOT-10k: average overlap (AO) and success rates (SR50, SR75).

Source: Huang, Zhao, Huang, "GOT-10k", TPAMI 2021, as github.com/got-10k/toolkit
computes it (protocol `got10k`): both boxes are clipped to the image, the first
frame and the frames in which nothing of the target is visible (cover 0) are
left out, all repetitions and all frames of all sequences count the same, and a
success is an overlap above (>) 0.5 or 0.75. The toolkit gives NaN for a whole
benchmark in which one box is NaN; here such a frame has overlap 0.
"""

from collections.abc import Sequence

import numpy as np

from siamkpn_jax.core import boxes
from siamkpn_jax.core.errors import UserError

PROTOCOL = 'got10k'
THRESHOLDS = np.linspace(0, 1, 101)  # of the success curve


def sequence_overlaps(
    runs_xywh: Sequence[np.ndarray], truth_xywh: np.ndarray, *,
    visible: np.ndarray | None = None,
    frame_size: tuple[int, int] | None = None) -> np.ndarray:
  """The overlaps that count in one sequence.

  Args:
    runs_xywh: [t, 4] boxes of each repetition, first frame included.
    truth_xywh: [t, 4] the annotation.
    visible: [t] False where nothing of the target can be seen; None: nowhere.
    frame_size: width and height of the image in pixels; None: no clipping.

  Returns:
    [n] of all repetitions, 0..1; there may be none.

  Raises:
    UserError: a repetition has another number of boxes.
  """
  truth = np.asarray(truth_xywh, np.float64)
  counted = np.ones(len(truth), bool) if visible is None else visible.copy()
  counted[0] = False
  ious = []
  for run in runs_xywh:
    if len(run) != len(truth):
      raise UserError(
          f'{len(run)} result boxes but {len(truth)} annotated boxes; expected '
          'one result per frame: run the tracker again on this sequence')
    with np.errstate(all='ignore'):
      iou = boxes.iou_xywh(_clipped(np.asarray(run, np.float64), frame_size),
                           _clipped(truth, frame_size))
    ious.append(np.clip(np.nan_to_num(iou, nan=0.0), 0, 1)[counted])
  return np.concatenate(ious)


def figures(ious: np.ndarray) -> dict[str, float | None]:
  """[n] overlaps of one sequence or of all -> their AO, SR50 and SR75.

  Without any they are None.
  """
  rates = {'ao': ious, 'sr50': ious > 0.5, 'sr75': ious > 0.75}
  return {name: float(values.mean()) if values.size else None
          for name, values in rates.items()}


def _clipped(xywh: np.ndarray, frame_size: tuple[int, int] | None
             ) -> np.ndarray:
  """The box within the image, as the toolkit has it.

  A corner left of the image is moved in while the width stays, so that such a
  box reaches farther right than before.
  """
  if frame_size is None:
    return xywh
  size = np.array(frame_size, np.float64)
  corner = np.clip(xywh[:, :2], 0, size)
  return np.concatenate([corner, np.clip(xywh[:, 2:], 0, size - corner)], 1)
