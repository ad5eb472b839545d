"""Weights as one small file, for tracking.

It is a safetensors file. Arrays are named by their '/'-joined paths in
{'params', 'batch_stats'}; they are float16 where that loses little, else
float32, and load as float32. The metadata of its header holds 'format', the
whole configuration as JSON ('config'), a checksum of the arrays as they load,
and what is known of their origin. Reading it does not import Orbax.
"""

import contextlib
import dataclasses
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from siamkpn_jax.checkpoints.packaged import SUFFIX
from siamkpn_jax.config.settings import Config, config_from_dict, to_plain
from siamkpn_jax.core.atomic_io import write_file
from siamkpn_jax.core.checksum import checksum
from siamkpn_jax.core.errors import UserError, first_line
from siamkpn_jax.core.foreign_files import foreign_kind
from siamkpn_jax.core.stored_json import parse_json
from siamkpn_jax.core.user_cache import entry_key, read_entry, write_entry
from siamkpn_jax.models.siamkpn import abstract_variables, build_model

FORMAT = 'siamkpn_jax'
# Of float16, where neither the exponent's range nor its subnormals matter.
LARGEST_ERROR = 2.0**-11
_SECTIONS = ('model', 'targets', 'tracking')  # of a configuration, to track
_OF_METADATA = 'metadata_checksum'  # earlier versions have none
# Of the metadata; the rest is info.
_ITEMS = ('format', 'config', 'checksum', _OF_METADATA)
_AGAIN = 'download or export it again'


@dataclasses.dataclass(frozen=True)
class Summary:
  """What was written.

  Attributes:
    size: bytes.
    parameters: how many numbers are trained.
    statistics: how many running means and variances.
    arrays: how many.
    halved: how many of them as float16.
    rounding_error: the largest of these, see `rounding_error`.
  """

  size: int
  parameters: int
  statistics: int
  arrays: int
  halved: int
  rounding_error: float


def is_weights_file(path: Path) -> bool:
  """Whether a path means such a file, which need not be there or be whole."""
  return path.suffix.lower() == SUFFIX and not path.is_dir()


def save_weights_file(path: Path, config: Config,
                      variables: dict[str, Any],
                      info: Mapping[str, str]) -> Summary:
  """Writes a file of weights, whole or not at all; replaces what is there.

  The variables, {'params', 'batch_stats'}, are of the whole network; the info
  is what is known of their origin, such as 'step'.

  Raises:
    UserError: weights that are not finite, or the file cannot be written.
  """
  arrays = {name: np.asarray(leaf, np.float32, order='C') for name, leaf in
            flatten_dict(variables, sep='/').items()}
  for name, array in arrays.items():
    if not np.isfinite(array).all():
      raise UserError(f'{path}: not written, as {name} has non-finite values; '
                      'expected finite weights: choose another checkpoint')
  stored = {name: compact(array) for name, array in arrays.items()}
  loaded = {name: array.astype(np.float32) for name, array in stored.items()}
  metadata = {**info, 'format': FORMAT,
              'config': json.dumps(to_plain(config), sort_keys=True),
              'checksum': fingerprint(unflatten_dict(loaded, sep='/'))}
  metadata[_OF_METADATA] = _metadata_checksum(metadata)
  content = save(stored, metadata)
  write_file(path, content)
  count = lambda part: sum(array.size for name, array in arrays.items()
                           if name.startswith(f'{part}/'))
  return Summary(
      size=len(content), parameters=count('params'),
      statistics=count('batch_stats'), arrays=len(stored),
      halved=sum(array.dtype == np.float16 for array in stored.values()),
      rounding_error=max(rounding_error(arrays[name], loaded[name])
                         for name in arrays))


def compact(array: np.ndarray) -> np.ndarray:
  """A float32 array as float16, where that loses little; else itself."""
  with np.errstate(over='ignore'):
    half = array.astype(np.float16)
  if (np.isfinite(half).all() and
      rounding_error(array, half.astype(np.float32)) <= LARGEST_ERROR):
    return half
  return array


def rounding_error(array: np.ndarray, rounded: np.ndarray) -> float:
  """The largest error in [..., c], relative to the channel's largest value.

  A channel's inputs are summed, so the small ones among its kernel's values
  may lose more; of a vector, such as the variances, every value counts.
  """
  inputs = tuple(range(array.ndim - 1))
  error = np.abs(rounded - array).max(inputs)  # c
  largest = np.abs(array).max(inputs)  # c
  # A channel of zeros has no error.
  return float(np.max(error / np.where(largest > 0, largest, 1)))


def load_weights_file(path: Path) -> tuple[Config, dict[str, Any]]:
  """Reads a file of weights.

  Returns:
    The configuration, and {'params', 'batch_stats'} of float32 arrays of the
    host, which fit it.

  Raises:
    UserError: there is none, it is damaged or not one of this program's, or
      its arrays do not fit its configuration.
  """
  metadata = read_metadata(path)
  config = stored_config(path, metadata['config'])
  wanted = _shapes(config)
  arrays = {}
  try:
    with safe_open(path, 'numpy') as file:
      parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
      shapes = {name: tuple(part.get_shape()) for name, part in parts.items()}
      check_shapes(path, shapes, wanted)
      for name, part in parts.items():
        if part.get_dtype() not in ('F16', 'F32'):
          raise UserError(f'{path}: {name} is {part.get_dtype()}; expected '
                          f'float16 or float32: {_AGAIN}')
        arrays[name] = file.get_tensor(name).astype(np.float32)
      stored = file.metadata()
  except (OSError, SafetensorError) as error:
    raise _unreadable(path, error) from error
  variables = unflatten_dict(arrays, sep='/')
  if fingerprint(variables) != metadata.get('checksum') or (
      not _settings_are_intact(stored)):
    raise UserError(f'{path}: damaged (wrong checksum); expected the arrays '
                    f'as they were written: {_AGAIN}')
  return config, variables


def _shapes(config: Config) -> dict[str, tuple[int, ...]]:
  """Those of a network's arrays by name; tracing it takes a second or two."""
  model = json.dumps(to_plain(dataclasses.asdict(config.model)))
  key = entry_key(model, sources=('config', 'models'),
                  libraries=('flax', 'jax'))
  kept = read_entry('shapes', key)
  if kept is not None:
    return {name: tuple(shape)
            for name, shape in json.loads(kept['shapes']).items()}
  shapes = {
      name: tuple(leaf.shape) for name, leaf in flatten_dict(
          abstract_variables(build_model(config.model)), sep='/').items()}
  write_entry('shapes', key, {'shapes': json.dumps(shapes).encode()})
  return shapes


def read_metadata(path: Path) -> dict[str, Any]:
  """What a file's header says: 'config', plain, 'checksum' and the origin.

  Raises:
    UserError: as `load_weights_file`, but the arrays are not read.
  """
  try:
    with safe_open(path, 'numpy') as file:
      metadata = file.metadata() or {}
  except (OSError, SafetensorError) as error:
    raise _unreadable(path, error) from error
  if metadata.get('format') != FORMAT:
    raise UserError(f'{path}: not a file of python -m siamkpn_jax.export '
                    f"(format {metadata.get('format')!r}); expected "
                    f'{FORMAT!r}: convert PyTorch weights with python -m '
                    'siamkpn_jax.convert')
  try:
    config = parse_json(metadata.get('config', ''), path, 'a configuration',
                        finite=False)
  except UserError as error:
    raise _no_config(path) from error
  if not is_config(config):
    raise _no_config(path)
  metadata.pop(_OF_METADATA, None)
  return metadata | {'config': config}


def _settings_are_intact(metadata: Mapping[str, str]) -> bool:
  """Whether the checksum of the metadata fits; one of earlier versions does.

  They have none; if only its name is damaged, it is that of all the others.
  """
  if _OF_METADATA in metadata:
    return metadata[_OF_METADATA] == _metadata_checksum(metadata)
  return not any(value == _metadata_checksum(metadata, name)
                 for name, value in metadata.items())


def _metadata_checksum(metadata: Mapping[str, str],
                       own: str = _OF_METADATA) -> str:
  """Of all but itself: the settings beside the arrays count as well."""
  text = json.dumps({name: value for name, value in metadata.items()
                     if name != own}, sort_keys=True)
  return f'{zlib.crc32(text.encode()):08x}'


def is_config(stored: Any) -> bool:
  """Whether what is stored has the sections that tracking needs."""
  return isinstance(stored, Mapping) and all(
      isinstance(stored.get(name), Mapping) and stored[name]
      for name in _SECTIONS)


def origin(metadata: Mapping[str, Any]) -> dict[str, str]:
  """The part of the metadata that tells where the weights come from."""
  return {key: value for key, value in metadata.items() if key not in _ITEMS}


def check_shapes(path: Path, found: Mapping[str, tuple[int, ...]],
                 expected: Mapping[str, tuple[int, ...]]) -> None:
  """Checks that arrays, by name, are those that a network has.

  Raises:
    UserError: names the first that is not.
  """
  for key in sorted({*found, *expected}):
    if found.get(key) != expected.get(key):
      raise UserError(
          f'{path}: weights do not match the configuration in the file: {key} '
          f'has shape {found.get(key)}; expected {expected.get(key)}')


def fingerprint(variables: Any) -> str:
  """Eight hexadecimal digits that tell weights from others."""
  crc = checksum((jax.tree_util.keystr(path), leaf) for path, leaf in
                 jax.tree_util.tree_leaves_with_path(variables))
  return f'{crc:08x}'


def stored_config(path: Path, plain: Mapping[str, Any]) -> Config:
  """What is stored with weights, as this version reads it.

  Raises:
    UserError: another version's, with `path`.
  """
  validation = plain.get('validation')
  if isinstance(validation, Mapping) and not validation.get('data'):
    # Exported weights name no folder, beside which videos are rendered.
    plain = {**plain, 'validation': {
        name: x for name, x in validation.items() if name != 'rendered'}}
  try:
    return config_from_dict(plain)
  except UserError as error:
    raise UserError(f'{path}: {error}') from error


def _unreadable(path: Path, error: Exception) -> UserError:
  reason = getattr(error, 'strerror', None) or first_line(error)
  with contextlib.suppress(OSError):
    reason = foreign_kind(path) or reason
  return UserError(f'{path}: cannot be read ({reason}); expected an intact '
                   f'file of python -m siamkpn_jax.export: {_AGAIN}')


def _no_config(path: Path) -> UserError:
  return UserError(f'{path}: holds no configuration; expected one with '
                   f'{", ".join(_SECTIONS)} in its metadata: {_AGAIN}')
