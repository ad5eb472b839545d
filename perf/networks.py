"""The network to measure with, and what tracks with it."""

import argparse
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from perf.inputs import random_variables
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.packed import update_packed


def add_flags(parser: Parser) -> None:
  """Declares those that choose the network."""
  parser.add_argument(
      '--weights', help='Of the network; default: those in the package.')
  config_flags.add_config_argument(
      parser, 'Configuration, for random weights: speed alone.')


def load(args: argparse.Namespace) -> tuple[Config, Any]:
  """The configuration and variables that the flags ask for."""
  if not args.config:
    return load_model(find_weights(args.weights))
  if args.weights:
    raise UserError('--config FILE takes random weights; leave --weights out, '
                    'or --config')
  config = config_flags.load(args)
  return config, random_variables(build_model(config.model))


def serialized(config: Config, variables: Any) -> Any:
  """The network for ONNX Runtime; None where that is not installed."""
  try:
    import onnxruntime  # noqa: F401

    from siamkpn_jax.tracking.onnx.serialized import serialize
    return serialize(build_model(config.model), variables,
                     config.tracking.search_size)
  except ModuleNotFoundError:
    return None


def compiled_step(tracker: BatchTracker, frame: np.ndarray
                  ) -> tuple[Any, Callable[[], Any]]:
  """The update of a tracker whose slots have targets, compiled.

  Returns:
    The program, as the tracker itself has compiled it, and a call of it on
    arrays that are on the device.
  """
  static, given = jitted_part(tracker, frame)
  program = update_packed.lower(*given, **static).compile()
  placed = jax.device_put(given)
  return program, lambda: program(*placed)


def onnx_step(tracker: Any) -> Callable[[], Any]:
  """A run of the session of an `OnnxTracker` that has a target."""
  session = tracker._session
  (pixels,) = session.get_inputs()
  crop = np.full(pixels.shape, 128, np.float32)
  crop += np.random.default_rng(0).normal(0, 40, crop.shape)
  given = {pixels.name: crop}
  return lambda: session.run(None, given)


def jitted_part(tracker: BatchTracker, frame: np.ndarray
                ) -> tuple[dict[str, Any], tuple[Any, ...]]:
  """What a tracker gives to `update_packed`: compiled in, and passed."""
  real: Any = tracker._update
  calls = []
  def record(*given: Any) -> Any:
    calls.append(given)
    return real(*given)
  tracker._update = record  # type: ignore[assignment]
  tracker.update(frame)
  tracker._update = real
  return real.keywords, calls[0]
