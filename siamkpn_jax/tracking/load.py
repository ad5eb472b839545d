"""Trackers from weights."""

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any, cast

import jax

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.config.overrides import with_tracking
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.decode import DecodeConfig
from siamkpn_jax.tracking.tracker import Tracker

ENGINES = ('auto', 'jax', 'onnxruntime')


def load_tracker(weights: str | Path | None = None, *, engine: str = 'auto',
                 every_stage: bool = False,
                 **hyperparameters: Any) -> Tracker:
  """Loads a tracker for one target.

  Args:
    weights: the workdir of a run, a checkpoint, a .safetensors file, or the
      name of a packaged model; None for the default packaged model.
    engine: what runs the network: 'jax', 'onnxruntime' (a CPU, in float32), or
      'auto': ONNX Runtime where JAX has nothing but a CPU and the extra
      'export' is installed, as it is faster there, else JAX. Boxes differ by
      rounding, until two cells score alike.
    every_stage: keep the heatmaps of every stage, not only of the last; in JAX
      alone.
    **hyperparameters: fields of `TrackingConfig`, such as penalty_k=0.1, that
      replace those stored with the weights.

  Returns:
    A tracker without a target; call its `init` next.

  Raises:
    UserError: a missing or damaged checkpoint, missing default weights, an
      invalid hyperparameter, or an engine that is unknown or not installed.

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
  engine = choose_engine(engine, every_stage=every_stage)
  config, variables = load_model(find_weights(weights))
  config = with_tracking(config, hyperparameters)
  model, decode = build_model(config.model), decode_config(config)
  if engine == 'onnxruntime':
    from siamkpn_jax.tracking.onnx.tracker import OnnxTracker
    return cast(Tracker, OnnxTracker(model, variables, decode))
  return Tracker(model, variables, decode, every_stage=every_stage)


def choose_engine(engine: str, *, every_stage: bool = False) -> str:
  """'jax' or 'onnxruntime'; arguments and errors as of `load_tracker`."""
  if engine not in ENGINES:
    raise UserError(f'engine {engine!r}; expected one of {", ".join(ENGINES)}')
  missing = [name for name in ('onnx', 'onnxruntime')
             if not importlib.util.find_spec(name)]
  if engine == 'auto':
    usable = (not missing and not every_stage and
              jax.default_backend() == 'cpu')
    return 'onnxruntime' if usable else 'jax'
  if engine == 'onnxruntime' and missing:
    raise UserError(f"engine 'onnxruntime': {' and '.join(missing)} missing; "
                    "install it: pip install 'siamkpn_jax[export]'")
  if engine == 'onnxruntime' and every_stage:
    raise UserError("engine 'onnxruntime': has the last stage alone; expected "
                    "every_stage=False, or engine='jax'")
  return engine


def load_batch_tracker(weights: str | Path | None = None, *, slots: int = 1,
                       every_stage: bool = False, **hyperparameters: Any
                       ) -> BatchTracker:
  """Loads a tracker for any number of targets, in one video or many.

  Args:
    weights: as for `load_tracker`.
    slots: expected number of targets; rounded up to a multiple of the number of
      devices.
    every_stage: keep the heatmaps of every stage, not only of the last.
    **hyperparameters: as for `load_tracker`; `add` can give a target others.

  Returns:
    A tracker without targets; call its `add` next.

  Raises:
    UserError: as for `load_tracker`.

  Examples:
    How to track with it: see `BatchTracker`.

    >>> import siamkpn_jax
    >>> siamkpn_jax.load_batch_tracker(slots=8, penalty_k=0.1).slots
    8
  """
  config, variables = load_model(find_weights(weights))
  config = with_tracking(config, hyperparameters)
  return BatchTracker(build_model(config.model), variables,
                      decode_config(config), slots=slots,
                      every_stage=every_stage)


def decode_config(config: Config) -> DecodeConfig:
  """How a configuration chooses boxes."""
  return DecodeConfig(
      **dataclasses.asdict(config.tracking),
      offset_unit=geometry.offset_unit(config.targets.offset_target))
