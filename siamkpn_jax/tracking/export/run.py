"""Exports weights and settings in one of the formats."""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jax

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model, read_origin
from siamkpn_jax.checkpoints.weights_file import Summary, save_weights_file
from siamkpn_jax.config.overrides import with_tracking
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.atomic_io import atomic_folder, file_errors
from siamkpn_jax.models.inference import inference_variables
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.engines import check_precision
from siamkpn_jax.tracking.export.formats import check_target
from siamkpn_jax.tracking.export.metadata import describe
from siamkpn_jax.tracking.load import decode_config

METADATA = 'metadata.json'


def export(weights: str | Path, output: str | Path, format: str, *,
           overwrite: bool = False, tracking: Mapping[str, Any] | None = None,
           command: str = '', precision: str = 'float32',
           batch: str = 'any') -> str:
  """Exports weights.

  Args:
    weights: as for `load_tracker`.
    output: see `check_target`.
    format: one of `FORMATS`.
    overwrite: see `check_target`.
    tracking: hyperparameters that replace those stored with the weights.
    command: the training command, to be recorded.
    precision: see `check_target`.
    batch: see `check_target`.

  Returns:
    What was written, for the terminal.

  Raises:
    UserError: as `check_target` and `load_tracker`, or the network cannot be
      exported, or not in that precision.
    ModuleNotFoundError: what the format needs is not installed.
    RuntimeError: what was exported computes something else.
  """
  path = check_target(output, format, overwrite=overwrite, precision=precision,
                      batch=batch)
  if format != 'safetensors':
    # Before the weights: a package that is missing shows at once.
    files = importlib.import_module(f'{__package__}.{format}_files')
  source = find_weights(weights)
  config, variables = load_model(source)
  config = portable(with_tracking(config, tracking or {}))
  check_precision(config.model, precision)
  origin = read_origin(source) | ({'command': command} if command else {})
  if format == 'safetensors':
    return text(save_weights_file(path, config, variables, origin))
  return _programs(path, files, config, variables, describe(
      format, config, decode_config(config), origin, precision, batch))


def _programs(folder: Path, files: ModuleType, config: Config, variables: Any,
              metadata: dict[str, Any]) -> str:
  """Writes a folder, unless what is in it computes something else."""
  model = build_model(config.model)
  network = (model, inference_variables(model, jax.device_get(variables)),
             decode_config(config))
  # Other devices may multiply in fewer digits than are compared.
  with (jax.default_device(jax.local_devices(backend='cpu')[0]),
        atomic_folder(folder) as partial):
    with file_errors(folder):
      files.write(partial, *network, metadata)
      (partial / METADATA).write_text(json.dumps(metadata, indent=2) + '\n')
    errors = files.check(partial, *network, metadata['precision'])
    sizes = {file.name: file.stat().st_size
             for file in sorted(partial.iterdir())}
  return '\n'.join(
      [f'{name:19} {size:,} bytes' for name, size in sizes.items()] +
      ['largest differences from JAX on rendered frames, of the largest '
       'value:'] + [f'{name:19} {error:.1e}' for name, error in errors.items()])


def portable(config: Config) -> Config:
  """A configuration without the paths of the machine that trained it."""
  return config.updated(
      model={'weights': '', 'backbone_weights': ''}, data={'root': ''},
      validation={'data': '', 'rendered': 0})  # which need a folder


def text(summary: Summary) -> str:
  """What was written, for the terminal."""
  return '\n'.join([
      f'size            {summary.size:,} bytes',
      f'parameters      {summary.parameters:,}, plus {summary.statistics:,} '
      'running means and variances',
      f'float16         {summary.halved} of {summary.arrays} arrays',
      f'rounding error  at most {summary.rounding_error:.2e} of the largest '
      'value of a channel'])
