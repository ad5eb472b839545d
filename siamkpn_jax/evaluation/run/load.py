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
from siamkpn_jax.core.cpu_devices import cores
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.run.protocol import MultiTargetTracker
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.engines import choose_engine, engine_of_evaluation
from siamkpn_jax.tracking.load import decode_config, judge_of
from siamkpn_jax.tracking.slots import good_slots

ENGINES = ('jax', 'onnxruntime')  # chosen by name: boxes differ by rounding


def load_for_sequences(
    weights: str | Path | None, lengths: Sequence[int], *,
    batch: int | None = None, hyperparameters: Mapping[str, Any] | None = None,
    engine: str | None = None, precision: str = 'float32',
    long_term: bool = False
    ) -> tuple[MultiTargetTracker, dict[str, Any]]:
  """A tracker with as many slots as sequences need.

  Args:
    weights: as for `load_tracker`.
    lengths: of the sequences that it will be given, in frames.
    batch: targets at once, at most; None: what suits the devices.
    hyperparameters: of tracking, other ones than those stored with the weights.
    engine: one of `ENGINES`, what runs the network; None: JAX, unless another
      one is needed for the precision.
    precision: as for `load_tracker`.
    long_term: as for `load_tracker`.

  Returns:
    The tracker, and what decides about its boxes, as JSON can hold it.

  Raises:
    UserError: as for `load_tracker`, or an engine that is none of `ENGINES`.
  """
  engine = engine or engine_of_evaluation(precision)
  if engine not in ENGINES:
    raise UserError(f'engine {engine!r}; expected one of {", ".join(ENGINES)}')
  in_onnx = choose_engine(engine, precision=precision) == 'onnxruntime'
  path = find_weights(weights)
  config, variables = load_model(path)
  config = with_tracking(config, hyperparameters or {})
  mode = {'long_term': True} if long_term else {}
  model, decoding = build_model(config.model), decode_config(config)
  judge = judge_of(path, decoding, precision, long_term=long_term)
  details = {'weights': fingerprint(variables),
             'tracking': {**dataclasses.asdict(config.tracking),
                          'offset_target': config.targets.offset_target,
                          **mode}}
  if not in_onnx:
    slots = good_slots(lengths, len(jax.local_devices()), batch)
    return BatchTracker(model, variables, decoding, slots=slots,
                        judge=judge), details

  from siamkpn_jax.tracking.onnx.batch_tracker import OnnxBatchTracker
  from siamkpn_jax.tracking.onnx.kept import in_precision
  try:
    network = in_precision(config, model, variables, precision)
  except NotImplementedError as error:  # a network of one's own
    raise UserError(f"engine 'onnxruntime': {error}; or use the engine 'jax'"
                    ) from error
  slots = good_slots(lengths, cores(), batch)
  return (OnnxBatchTracker(network, decoding, slots=slots, judge=judge),
          details | {'engine': engine} | (
              {} if precision == 'float32' else {'precision': precision}))
