"""Trackers from weights.

What an engine needs is imported when it is chosen: a second run in ONNX Runtime
does not wait for JAX.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from siamkpn_jax.checkpoints.content import content_digest
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.config.network import TrackingConfig
from siamkpn_jax.config.overrides import with_tracking
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tracking.choice import SEARCH_SIZE, DecodeConfig
from siamkpn_jax.tracking.confidence import calibration_of
from siamkpn_jax.tracking.engines import choose_engine, wide
from siamkpn_jax.tracking.long_term import Judge, Rule
from siamkpn_jax.tracking.one_target import OneTarget, SingleTracker
from siamkpn_jax.tracking.saved_state import name_of
from siamkpn_jax.tracking.targets import LoadedBatchTracker, TargetTracker

if TYPE_CHECKING:
  from siamkpn_jax.tracking.onnx.serialized import Serialized


class LoadedTracker(SingleTracker, Protocol):
  """A tracker of one target, whatever runs its network; see `Tracker`."""

  @property
  def confidence(self) -> float | None:
    """Probability that the last box is right; None where it is not known."""

  @property
  def heatmaps(self) -> np.ndarray:
    """[s, n, n] heatmaps of the last update; empty before the first one."""

  @property
  def search_crop(self) -> np.ndarray:
    """[side, side, 3] uint8 crop of the last update; empty before it."""

  def state(self) -> dict[str, np.ndarray]:
    """All that the next boxes depend on; see `Tracker.state`."""

  def restore(self, state: Mapping[str, Any]) -> None:
    """Goes on from a state; see `Tracker.restore`."""

  def search_window(self) -> tuple[np.ndarray, float]:
    """Center [2] of the next search, frame pixels; crop pixels per one."""


def load_tracker(weights: str | Path | None = None, *, engine: str = 'auto',
                 precision: str = 'float32', every_stage: bool = False,
                 long_term: bool = False, color: str = 'bgr',
                 **hyperparameters: Any) -> LoadedTracker:
  """Loads a tracker for one target.

  Args:
    weights: the workdir of a run, a checkpoint, a .safetensors file, or the
      name of a packaged model; None for the default packaged model.
    engine: what runs the network: 'jax', 'onnxruntime' (a CPU, in float32), or
      'auto': the faster one (`engines.wide`) where JAX has nothing
      but a CPU, the extra 'export' is installed and the network can be
      exported, else JAX. Boxes differ by rounding, until two cells score alike.
    precision: 'float32', or 'int8' for the search of an EfficientNet in ONNX
      Runtime: faster where the processor has VNNI instructions, with other
      boxes (docs/tracking.md#int8).
    every_stage: keep the heatmaps of every stage, not only of the last; in JAX
      alone.
    long_term: a target that is not seen for some frames is lost: its box stays,
      and is searched for in ever larger parts of the frame (docs/tracking.md).
    color: order of the channels of frames: 'bgr', as OpenCV reads them, or
      'rgb'. A frame is [h, w, 3], or gray: [h, w] or [h, w, 1]; uint8, or
      floats 0..1, which are multiplied by 255 and rounded.
    **hyperparameters: fields of `TrackingConfig`, such as penalty_k=0.1, that
      replace those stored with the weights.

  Returns:
    A tracker without a target; call its `init` next.

  Raises:
    UserError: a missing or damaged checkpoint, missing default weights, an
      invalid hyperparameter, or an engine or precision that is unknown, not
      installed or unable to run the network.

  Examples:
    The packaged model with another hyperparameter:

    >>> import siamkpn_jax
    >>> from siamkpn_jax.datasets.synthetic import Scene
    >>> tracker = siamkpn_jax.load_tracker(window_influence=0.3)
    >>> scene = Scene(seed=0, index=0, size=(160, 120))
    >>> tracker.init(*scene.render(0))
    >>> found, box_xywh = tracker.update(scene.render(1)[0])
    >>> found
    True
  """
  loaded = _load(weights, engine, hyperparameters, every_stage=every_stage,
                 precision=precision)
  more = loaded.options(precision, long_term=long_term, color=color)
  if loaded.network:
    from siamkpn_jax.tracking.onnx.tracker import OnnxTracker
    return OnnxTracker(loaded.network, **more)
  from siamkpn_jax.tracking.tracker import Tracker
  return Tracker(loaded.model, loaded.variables, every_stage=every_stage,
                 **more)


def load_batch_tracker(weights: str | Path | None = None, *, slots: int = 1,
                       engine: str = 'auto', precision: str = 'float32',
                       every_stage: bool = False, long_term: bool = False,
                       color: str = 'bgr', **hyperparameters: Any
                       ) -> LoadedBatchTracker:
  """Loads a tracker for any number of targets, in one video or many.

  Args:
    weights: as for `load_tracker`.
    slots: expected number of targets; rounded up to a multiple of the number of
      devices.
    engine: as for `load_tracker`. In ONNX Runtime each target has its own copy
      of the weights; 'auto' leaves wide networks to JAX.
    precision: as for `load_tracker`.
    every_stage: keep the heatmaps of every stage, not only of the last; in JAX
      alone.
    long_term: as for `load_tracker`.
    color: as for `load_tracker`.
    **hyperparameters: as for `load_tracker`; `add` can give a target others.

  Returns:
    A tracker without targets; call its `add` next.

  Raises:
    UserError: as for `load_tracker`.
    ValueError: `slots` is no whole number, or out of range.

  Examples:
    How to track with it: see `BatchTracker`.

    >>> import siamkpn_jax
    >>> siamkpn_jax.load_batch_tracker(slots=8, penalty_k=0.1).slots
    8
  """
  loaded = _load(weights, engine, hyperparameters, every_stage=every_stage,
                 precision=precision)
  more = loaded.options(precision, long_term=long_term, color=color)
  if loaded.network:
    from siamkpn_jax.tracking.onnx.batch_tracker import OnnxBatchTracker
    return OnnxBatchTracker(loaded.network, slots=slots, **more)
  from siamkpn_jax.tracking.batch_tracker import BatchTracker
  return BatchTracker(loaded.model, loaded.variables, slots=slots,
                      every_stage=every_stage, **more)


@dataclasses.dataclass(frozen=True)
class _Loaded:
  """A network for ONNX Runtime, or, without `network`, for JAX."""

  path: Path
  digest: str | None
  config: Config
  network: 'Serialized | None' = None
  model: Any = None
  variables: Any = None

  def options(self, precision: str, *, long_term: bool,
              color: str) -> dict[str, Any]:
    """What every tracker takes besides its network."""
    config = decode_config(self.config)
    return {'config': config, 'color': color,
            'judge': judge_of(self.path, config, precision,
                              long_term=long_term),
            'weights': name_of(self.digest, precision)}


def _load(weights: str | Path | None, engine: str,
          hyperparameters: Mapping[str, Any], *,
          every_stage: bool, precision: str) -> _Loaded:
  """Loads what the engine needs.

  Args:
    weights: as for `load_tracker`.
    engine: as for `load_tracker`.
    hyperparameters: as for `load_tracker`.
    every_stage: as for `load_tracker`.
    precision: as for `load_tracker`.

  Raises:
    UserError: as for `load_tracker`.
  """
  onnx = choose_engine(engine, every_stage=every_stage,
                       precision=precision) == 'onnxruntime'
  if precision != 'float32':
    engine = 'onnxruntime'
  suits = lambda config: engine != 'auto' or not wide(config.model)
  size: Any = hyperparameters.get(SEARCH_SIZE)
  if SEARCH_SIZE in hyperparameters:
    TrackingConfig(search_size=size)  # before it names what is kept
  path = find_weights(weights)
  digest = content_digest(path)
  if onnx:
    from siamkpn_jax.tracking.onnx.kept import export_and_keep, read_kept
    kept = read_kept(digest, precision, size)
    if kept and suits(kept[0]):
      config, network = kept
      return _Loaded(path, digest, with_tracking(config, hyperparameters),
                     network)

  from siamkpn_jax.checkpoints.weights import load_model
  from siamkpn_jax.models.siamkpn import build_model

  stored, variables = load_model(path)
  config = with_tracking(stored, hyperparameters)
  model = build_model(config.model)
  if onnx and suits(config):
    try:
      return _Loaded(path, digest, config, export_and_keep(
          path, digest, stored, model, variables, precision, size))
    except NotImplementedError as error:  # a network of one's own
      if engine != 'auto':
        raise UserError(f"engine 'onnxruntime': {error}; or use the engine "
                        "'jax', which computes in float32") from error
  return _Loaded(path, digest, config, None, model, variables)


def load_for_targets(weights: str | Path | None, count: int,
                     **options: Any) -> TargetTracker:
  """Loads what tracks a number of targets in one video.

  Args:
    weights: as for `load_tracker`.
    count: how many; one has the fastest tracker, several are tracked at once.
    **options: as for `load_tracker`.

  Raises:
    UserError: as for `load_tracker`.
  """
  if count == 1:
    return OneTarget(load_tracker(weights, **options))
  return load_batch_tracker(weights, slots=count, **options)


def judge_of(path: Path, decoding: DecodeConfig, precision: str, *,
             long_term: bool = False) -> Judge:
  """What decides whether boxes of a file of weights are to be believed."""
  rule = Rule(search_size=decoding.search_size) if long_term else None
  return Judge(calibration_of(path, decoding.search_size, precision), rule)


def decode_config(config: Config) -> DecodeConfig:
  """How a configuration chooses boxes."""
  return DecodeConfig(
      **dataclasses.asdict(config.tracking),
      offset_unit=geometry.offset_unit(config.targets.offset_target))
