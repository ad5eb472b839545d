"""A tracker of one target, used like `cv2.Tracker`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.choice import no_heatmaps
from siamkpn_jax.tracking.decode import DecodeConfig
from siamkpn_jax.tracking.long_term import BELIEVING, Judge
from siamkpn_jax.tracking.saved_state import Origin, from_arrays


class Tracker:
  """Tracks one target, with the interface of `cv2.Tracker`.

  It is a `BatchTracker` with one slot; `load_tracker` creates one from weights.

  Attributes:
    score: score of the last update, 0..1; 0 before the first one.
    confidence: probability that its box is right; None before it, and where the
      weights have not been measured.
    heatmaps: [s, n, n] heatmaps of the last update, of the last stage (s = 1)
      or of every stage; empty before the first one. A cell has 8 pixels of the
      search crop: n = 31 for one of 255 pixels.
    search_crop: uint8 search crop of the last update, as high and wide as
      `TrackingConfig.search_size`; empty before the first one.

  Examples:
    >>> import siamkpn_jax
    >>> from siamkpn_jax.datasets.synthetic import Scene
    >>> scene = Scene(seed=0, index=0, size=(160, 120))
    >>> frame, box_xywh = scene.render(0)
    >>> tracker = siamkpn_jax.load_tracker()
    >>> tracker.init(frame, box_xywh)
    >>> frame, _ = scene.render(1)
    >>> found, box_xywh = tracker.update(frame)
    >>> found, box_xywh.shape, 0 < tracker.score < 1
    (True, (4,), True)
  """

  def __init__(self, model: SiamKPN, variables: Any, config: DecodeConfig, *,
               every_stage: bool = False, judge: Judge = BELIEVING,
               color: str = 'bgr', weights: str | None = None):
    """Creates a tracker without a target; call `init` next.

    Args:
      model: the network.
      variables: its variables, {'params', 'batch_stats'}.
      config: how boxes are chosen.
      every_stage: keep the heatmaps of every stage, not only of the last.
      judge: of what the network says.
      color: order of the channels of frames, 'bgr' or 'rgb'.
      weights: what tells them from others, for `state`.
    """
    self._batch = BatchTracker(model, variables, config,
                               every_stage=every_stage, judge=judge,
                               color=color, weights=weights)
    self._origin = Origin(weights, config, judge)
    self._target: int | None = None
    self.score = 0.0
    self.confidence: float | None = None

  def init(self, frame: np.ndarray, box_xywh: Any) -> None:
    """Starts tracking a target, instead of the previous one if any.

    Args:
      frame: first frame, [h, w, 3] or gray, see `load_tracker`.
      box_xywh: [4] left, top, width, height of the target, pixels.

    Raises:
      UserError: the box lies outside the frame, or its width or height is not
        positive; a previous target is kept.
      ValueError: the frame has another shape, type or range.
    """
    self._target = self._batch.add(frame, box_xywh, replace=self._target)
    self.score, self.confidence = 0.0, None

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """Finds the target in the next frame.

    Args:
      frame: as for `init`; its size may be another one.

    Returns:
      Whether the score exceeds the threshold (in long-term tracking, whether
      the target is not lost), and the box [4] left, top, width, height in
      pixels, which is the best guess in either case.

    Raises:
      RuntimeError: `init` has not been called.
      ValueError: the frame has another shape, type or range.
    """
    target = self._known()
    result = self._batch.update(frame)[target]
    self.score, self.confidence = result.score, result.confidence
    return result.found, result.box_xywh

  def state(self) -> dict[str, np.ndarray]:
    """All that the next boxes depend on, except the weights.

    Returns:
      Arrays by name, without pickled objects: `np.savez(file, **state)` writes
      them. `heatmaps` and `search_crop` are not among them.

    Raises:
      RuntimeError: `init` has not been called.
      ValueError: the tracker was created without a name for its weights.
    """
    return self._batch.state(self._known())

  def restore(self, state: Mapping[str, Any]) -> None:
    """Goes on from a state, instead of a target if there is one.

    Args:
      state: of a tracker with the same weights, maybe in another process or
        engine; or `np.load(file)`. Its hyperparameters are used until `init`.

    Raises:
      UserError: it is of other weights, or of tracking by other rules
        (`long_term`, `search_size`, `topk_max`, `topk_min`); or an entry is
        missing, has another type or shape, or is out of range. The target is
        kept.
      ValueError: the tracker was created without a name for its weights.
    """
    saved = from_arrays(state, self._origin)
    self._target = self._batch._add_saved(saved, self._target)
    self.score = saved.score
    self.confidence = saved.confidence(self._origin.judge)

  def search_window(self) -> tuple[np.ndarray, float]:
    """Where the next `update` will search.

    Returns:
      The center [2] x, y of the search crop, frame pixels, and its scale: crop
      pixels per frame pixel.

    Raises:
      RuntimeError: `init` has not been called.
    """
    return self._batch.search_window(self._known())

  @property
  def heatmaps(self) -> np.ndarray:
    """See the class."""
    if self._target is None:
      return no_heatmaps(self._origin.config)
    return self._batch.heatmaps(self._target)

  @property
  def search_crop(self) -> np.ndarray:
    """See the class."""
    crop = (None if self._target is None else
            self._batch.search_crop(self._target))
    return np.zeros((0, 0, 3), np.uint8) if crop is None else crop

  def _known(self) -> int:
    if self._target is None:
      raise RuntimeError('the tracker has no target: call init first')
    return self._target
