"""The tracker of an evaluation."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.checkpoints.weights_file import fingerprint
from siamkpn_jax.config.overrides import with_tracking
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.load import decode_config
from siamkpn_jax.tracking.slots import good_slots


def load_for_sequences(
    weights: str | Path | None, lengths: Sequence[int], *,
    batch: int | None = None, hyperparameters: Mapping[str, Any] | None = None
) -> tuple[BatchTracker, dict[str, Any]]:
  """A tracker with as many slots as sequences need.

  Args:
    weights: as for `load_tracker`.
    lengths: of the sequences that it will be given, in frames.
    batch: targets at once, at most; None: what suits the devices.
    hyperparameters: of tracking, other ones than those stored with the weights.

  Returns:
    The tracker, and what decides about its boxes, as JSON can hold it.

  Raises:
    UserError: as for `load_tracker`.
  """
  config, variables = load_model(find_weights(weights))
  config = with_tracking(config, hyperparameters or {})
  tracker = BatchTracker(
      build_model(config.model), variables, decode_config(config),
      slots=good_slots(lengths, len(jax.local_devices()), batch))
  return tracker, {'weights': fingerprint(variables),
                   'tracking': {**dataclasses.asdict(config.tracking),
                                'offset_target': config.targets.offset_target}}
