"""The tracker of an evaluation."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.checkpoints.weights_file import fingerprint
from siamkpn_jax.config.overrides import with_tracking
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.slots import good_slots
from siamkpn_jax.tracking.tracker import decode_config


def load_batch_tracker(weights: str | Path | None, lengths: Sequence[int], *,
                       batch: int | None = None, settings: str = ''
                       ) -> tuple[BatchTracker, dict[str, Any]]:
  """A tracker with the weights and settings of a checkpoint.

  Args:
    weights: as for `load_tracker`.
    lengths: of the sequences that it will be given, in frames.
    batch: targets at once, at most; None: what suits the devices.
    settings: 'penalty_k=0.1,...', other tracking settings than its own.

  Returns:
    The tracker, and what decides about its boxes, as JSON can hold it.

  Raises:
    UserError: it is not a checkpoint, or a damaged one, or settings that are
      not known.
  """
  config, variables = load_model(find_weights(weights))
  config = with_tracking(config, settings)
  tracker = BatchTracker(
      build_model(config.model), variables, decode_config(config),
      slots=good_slots(lengths, len(jax.local_devices()), batch))
  return tracker, {'weights': fingerprint(variables),
                   'tracking': {**dataclasses.asdict(config.tracking),
                                'offset_target': config.targets.offset_target}}
