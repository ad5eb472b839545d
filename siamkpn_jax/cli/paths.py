"""Cheap checks of the paths that flags give, before slow imports and work."""

import os
from pathlib import Path

from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_kinds import other_kind


def existing_folder(path: str, flag: str, expected: str) -> Path:
  """A folder that must be there.

  Args:
    path: of the folder.
    flag: that gave it, for the message.
    expected: what should be in it, for the message.

  Raises:
    UserError: it is not.
  """
  if not os.path.isdir(path):
    what = other_kind(path) or (
        'this is a file' if os.path.exists(path) else 'no such folder')
    raise UserError(f'{flag} {path}: {what}; expected {expected}: check the '
                    'path')
  return Path(path)


def check_filled(value: str | None, flag: str) -> None:
  """Refuses '' where None stands for a flag that was not given.

  Raises:
    UserError: as of a variable that is not set.
  """
  if value == '':
    raise UserError(f'{flag}: empty; expected a path, or no {flag}')


def existing_weights(given: str | None) -> Path:
  """What --weights names; None for the default.

  Raises:
    UserError: nothing.
  """
  path = find_weights(given)
  if not path.exists():
    from siamkpn_jax.checkpoints.weights import find_checkpoint  # imports JAX
    return find_checkpoint(path)  # which says what was expected
  return path


def output_folder(path: str, flag: str) -> Path:
  """A folder for results, which may be there.

  Args:
    path: of the folder.
    flag: that gave it, for the message.

  Raises:
    UserError: nothing can be written in it, or no folder made there.
  """
  if not path:
    raise UserError(f'{flag}: empty; expected a folder for the results')
  folder = Path(path)
  if os.path.lexists(folder) and not folder.is_dir():
    raise UserError(f'{flag} {folder}: already exists and is no folder; '
                    'expected a folder for the results: choose another name')
  check_output(folder / 'any', flag)
  return folder
