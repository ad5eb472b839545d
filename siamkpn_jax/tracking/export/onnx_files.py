"""An export as ONNX files."""

import functools
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.head import Predictions
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking.decode import (
    DecodeConfig,
    Hyperparameters,
    decode,
)
from siamkpn_jax.tracking.export.check import TOLERANCES, Errors, sample
from siamkpn_jax.tracking.export.precision import reduce
from siamkpn_jax.tracking.onnx import programs


def write(folder: Path, model: SiamKPN, variables: Any, config: DecodeConfig,
          metadata: dict[str, Any]) -> None:
  """Writes template.onnx and update.onnx, each with the metadata.

  Raises:
    UserError: the network has an operation that is not exported.
  """
  try:
    size = None if metadata['batch'] == 'any' else int(metadata['batch'])
    exported = programs.export(model, variables, config, size)
  except NotImplementedError as error:  # a network of one's own
    raise UserError(f'--format onnx: {error}; or use --format stablehlo'
                    ) from error
  exported = reduce(exported, metadata['precision'])
  texts = {key: value if isinstance(value, str) else json.dumps(value)
           for key, value in metadata.items()}
  for name, program in exported.items():
    onnx.helper.set_model_props(program, texts)
    (folder / f'{name}.onnx').write_bytes(program.SerializeToString())


def check(folder: Path, model: SiamKPN, variables: Any,
          config: DecodeConfig, precision: str) -> dict[str, float]:
  """The largest errors of what was written, in ONNX Runtime; see `Errors`."""
  errors, given = Errors(), sample(config)
  rough = TOLERANCES[precision]
  template, update = (onnxruntime.InferenceSession(
      folder / f'{name}.onnx', providers=['CPUExecutionProvider'])
      for name in ('template', 'update'))
  model = model.clone(dtype='float32', remat=False)
  rest = given.size, given.scale, *(
      given.hyperparameters[name] for name in programs.HYPERPARAMETERS)

  wanted = jax.jit(programs.template_function(model, variables))(given.first)
  kernels = _channels_first(wanted)
  errors.compare('kernels', _run(template, ['kernels'], {'crop': given.first}),
                 [kernels], rough)

  names = [*programs.MAPS, *programs.CHANGE]
  found = dict(zip(names, _run(
      update, names,
      # The same kernels: the rounding of two programs does not add up.
      {'crop': given.second, 'kernels': kernels, 'size': given.size,
       'scale': given.scale, **given.hyperparameters}), strict=True))
  maps = jax.jit(programs.update_function(model, variables, config.rule))(
      given.second, wanted, *rest)
  for name, value in zip(programs.MAPS, maps, strict=False):
    errors.compare(name, found[name], _channels_first(value), rough)

  # Of the same maps: rounding may make another of two equal cells the best.
  same = Predictions(*(found[name].transpose(0, 2, 3, 1)
                       for name in programs.MAPS))
  box = jax.jit(jax.vmap(functools.partial(decode, rule=config.rule)))(
      same, given.size, given.scale, Hyperparameters(**given.hyperparameters))
  for name, value in zip(programs.CHANGE, (box.shift, box.size, box.score),
                         strict=True):
    errors.compare(name, found[name], value)
  return errors.found


def _run(session: onnxruntime.InferenceSession, names: list[str],
         given: dict[str, np.ndarray]) -> list[Any]:
  """Outputs of all targets, one at a time where a batch is of one."""
  if session.get_inputs()[0].shape[0] != 1:
    return session.run(names, given)
  each = [session.run(names, {name: array[k:k + 1]
                              for name, array in given.items()})
          for k in range(len(given['crop']))]
  return [np.concatenate(parts) for parts in zip(*each, strict=True)]


def _channels_first(array: jax.Array) -> np.ndarray:
  return np.asarray(array).transpose(0, 3, 1, 2)
