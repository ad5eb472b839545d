"""The entry of a tracker in the vot-toolkit's file `trackers.ini`."""

import configparser
import os
import re
import shlex
import sys
import sysconfig
from pathlib import Path

import siamkpn_jax
from siamkpn_jax.core.atomic_io import write_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import results

_TIMEOUT = 120  # seconds; the programs are compiled before the first answer


def check_label(label: str) -> None:
  """Checks that the toolkit takes a name for a tracker.

  Raises:
    UserError: it does not.
  """
  if not re.fullmatch('[a-zA-Z0-9_-]+', label) or label == 'DEFAULT':
    raise UserError(f'--label {label!r}: expected only letters, digits, - and '
                    '_: choose another name')


def write_entry(path: Path, label: str, weights: Path,
                tracking: str = '') -> None:
  """Adds a tracker to the file, or replaces it; the rest stays as it is.

  The settings 'penalty_k=0.1,...' are other ones than the checkpoint's.

  Raises:
    UserError: what is there is no such file, or it cannot be written.
  """
  check_label(label)
  text = results.read_text(path) if path.exists() else ''
  ending = '\r\n' if path.exists() and b'\r\n' in path.read_bytes() else '\n'
  before = _sections(path, text)
  text = replaced(text, label, entry(label, weights, tracking))
  if _sections(path, text) | {label} != before | {label}:
    raise UserError(f'{path}: has indented entries; expected all entries to '
                    'begin at the start of a line: correct it')
  write_file(path, text.replace('\n', ending))


def _sections(path: Path, text: str) -> set[str]:
  reader = configparser.ConfigParser()
  try:
    reader.read_string(text)
  except configparser.Error as error:
    raise UserError(f'{path}: damaged ({" ".join(str(error).split())}); '
                    'expected a trackers.ini of the vot-toolkit: correct it, '
                    'or choose another file') from error
  return set(reader.sections())


def entry(label: str, weights: Path, tracking: str = '') -> str:
  """The section of a tracker that is run by this Python with these weights."""
  command = shlex.join([sys.executable, '-m', 'siamkpn_jax.trax',
                        '--weights', str(weights.absolute()),
                        *(['--tracking', tracking] if tracking else [])])
  settings = {'label': label, 'protocol': 'trax', 'command': command,
              'timeout': str(_TIMEOUT), **_environment()}
  # The file's reader takes a % for a reference to another setting.
  return f'[{label}]\n' + ''.join(
      f'{key} = {value.replace("%", "%%")}\n'
      for key, value in settings.items())


def _environment() -> dict[str, str]:
  """PYTHONPATH, if Python would not find this package without it."""
  folder = Path(siamkpn_jax.__file__).parents[1]
  found = [p for p in os.environ.get('PYTHONPATH', '').split(os.pathsep) if p]
  if folder != Path(sysconfig.get_path('purelib')):
    found = [str(folder), *found]
  paths = dict.fromkeys(os.path.abspath(p) for p in found)
  return {'env_pythonpath': os.pathsep.join(paths)} if paths else {}


def replaced(text: str, label: str, section: str) -> str:
  """A file's text with the section instead of the one of that label.

  It goes where the old one was, or to the end.
  """
  lines = text.splitlines(keepends=True)
  headers = [i for i, line in enumerate(lines) if line.startswith('[')]
  start = next((i for i in headers if lines[i].startswith(f'[{label}]')), None)
  if start is None:
    before = text.rstrip('\n')
    return f'{before}\n\n{section}' if before else section
  end = next((i for i in headers if i > start), len(lines))
  while end > start and not _is_setting(lines[end - 1]):
    end -= 1  # blank lines and comments before the next section are its own
  return ''.join(lines[:start]) + section + ''.join(lines[end:])


def _is_setting(line: str) -> bool:
  return bool(line.strip()) and not line.lstrip().startswith(('#', ';'))
