"""The formats of an export, and where each may be written."""

from collections.abc import Sequence
from pathlib import Path

from siamkpn_jax.checkpoints.packaged import SUFFIX
from siamkpn_jax.core.atomic_io import check_new_folder, check_output
from siamkpn_jax.core.errors import UserError

FORMATS = ('safetensors', 'onnx', 'stablehlo')
PRECISIONS = ('float32', 'float16', 'int8')
BATCHES = ('any', '1')  # targets that a program takes at once


def check_target(output: str | Path, format: str, *, overwrite: bool = False,
                 precision: str = 'float32', batch: str = 'any') -> Path:
  """Checks, before the weights are loaded, where an export is to be written.

  Args:
    output: a file for safetensors, else a new folder: the two programs of a
      tracker belong together.
    format: one of `FORMATS`.
    overwrite: replace a file that exists; folders are never replaced.
    precision: one of `PRECISIONS`.
    batch: one of `BATCHES`.

  Returns:
    The path.

  Raises:
    UserError: an unknown format, precision or batch, or nothing can be written
      there.
  """
  _check_choice('format', format, FORMATS)
  for name, value, choices in (('precision', precision, PRECISIONS),
                               ('batch', batch, BATCHES)):
    _check_choice(name, value, choices)
    if value != choices[0] and format != 'onnx':
      raise UserError(
          f'--{name} {value}: of --format onnx alone; expected that, or no '
          f'--{name} with --format {format}')
  if format != 'safetensors':
    if not str(output):
      raise UserError('--output: empty; expected a new folder')
    if overwrite:
      raise UserError(f'--overwrite: not used with --format {format}; expected '
                      'a new or empty folder: remove the old one, and omit it')
    check_new_folder(Path(output), '--output')
    return Path(output)
  path = check_output(output, '--output', suffixes=(SUFFIX,))
  if path is None:
    raise UserError(f'--output: empty; expected NAME{SUFFIX}')
  if path.exists() and not overwrite:
    raise UserError(f'--output {path}: already exists; expected a new file: '
                    'choose another name, or add --overwrite')
  return path


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
  if value not in choices:
    raise UserError(f'{name}={value!r}: expected one of {", ".join(choices)}')
