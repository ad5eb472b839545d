"""A tracker of one target, used like `cv2.Tracker`."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.config.overrides import with_tracking
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core import geometry
from siamkpn_jax.models.siamkpn import SiamKPN, build_model
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.decode import DecodeConfig


class Tracker:
  """Tracks one target: a `BatchTracker` of one slot.

  Its attributes are empty or 0 before the first update.

  Attributes:
    score: of the last update, 0..1.
    heatmaps: [s, 31, 31] of the last update: of the last stage (s = 1), or of
      every stage.
    search_crop: [255, 255, 3] uint8, what the last update looked at.
  """

  def __init__(self, model: SiamKPN, variables: Any, config: DecodeConfig, *,
               every_stage: bool = False):
    """A tracker without a target; `init` gives it one.

    Args:
      model: the network.
      variables: {'params', 'batch_stats'}.
      config: how boxes are chosen.
      every_stage: keep the heatmaps of every stage.
    """
    self._batch = BatchTracker(model, variables, config,
                               every_stage=every_stage)
    self._target: int | None = None
    self.score = 0.0

  def init(self, frame: np.ndarray, box_xywh: Any) -> None:
    """Takes the target of the first frame.

    Args:
      frame: [h, w, 3] uint8 BGR.
      box_xywh: left, top, width, height; pixels.

    Raises:
      UserError: the box is outside the frame or has a side that is not
        positive; the target that was there stays.
      ValueError: another kind of frame.
    """
    self._target = self._batch.add(frame, box_xywh, replace=self._target)
    self.score = 0.0

  def update(self, frame: np.ndarray) -> tuple[bool, np.ndarray]:
    """Finds the target in the next frame.

    Args:
      frame: [h, w, 3] uint8 BGR.

    Returns:
      Whether the score is above the candidates' threshold, and the box
      [x, y, w, h] in pixels, which is the best guess in either case.

    Raises:
      RuntimeError: `init` has not been called.
      ValueError: another kind of frame.
    """
    target = self._known()
    found, box_xywh, self.score = self._batch.update({target: frame})[target]
    return found, box_xywh

  def search_window(self) -> tuple[np.ndarray, float]:
    """Where the next `update` looks.

    Returns:
      The center [2] x, y of the search crop in the frame, pixels, and its
      scale: crop pixels per frame pixel.

    Raises:
      RuntimeError: `init` has not been called.
    """
    return self._batch.search_window(self._known())

  @property
  def heatmaps(self) -> np.ndarray:
    """See the class."""
    if self._target is None:
      return np.zeros((0, geometry.MAP_SIZE, geometry.MAP_SIZE), np.float32)
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


def decode_config(config: Config) -> DecodeConfig:
  """How a configuration chooses boxes."""
  return DecodeConfig(
      **dataclasses.asdict(config.tracking),
      offset_unit=geometry.offset_unit(config.targets.offset_target))


def load_tracker(weights: str | Path | None = None, settings: str = '', *,
                 every_stage: bool = False) -> Tracker:
  """A tracker with the weights and settings of a checkpoint.

  Args:
    weights: a run's workdir, one of its checkpoints, a file of weights, or the
      name of a packaged model; None: the default one.
    settings: 'penalty_k=0.1,...', other tracking settings than its own.
    every_stage: keep the heatmaps of every stage.

  Raises:
    UserError: it is not a checkpoint, or a damaged one, the package came
      without the default one, or settings that are not known.
  """
  config, variables = load_model(find_weights(weights))
  config = with_tracking(config, settings)
  return Tracker(build_model(config.model), variables,
                 decode_config(config), every_stage=every_stage)
