"""Names of files that every system can hold, Windows included."""

import os
import re

from siamkpn_jax.core.errors import UserError

_DEVICES = {'CON', 'PRN', 'AUX', 'NUL', *(
    f'{port}{k}' for port in ('COM', 'LPT') for k in range(1, 10))}


def portable_name(text: str) -> str:
  """A name for a file or folder, as near to `text` as all systems allow."""
  name = re.sub(r'[^\w.=+-]+', '_', text).rstrip('.')
  if not name or _is_device(name):
    name = f'_{name}'
  return name


def is_portable(name: str) -> bool:
  """Whether Windows can hold a file of this name, and so all others."""
  return not (
      not name or name.endswith(('.', ' ')) or _is_device(name) or
      re.search(r'[<>:"/\\|?*\x00-\x1f]', name))


def check_writable_name(name: str) -> None:
  """Checks the name of a sequence, by which others find its result file.

  Raises:
    UserError: this system cannot hold a file of that name.
  """
  fine = is_portable(name) if os.name == 'nt' else (
      name not in ('', '.', '..') and not re.search('[/\x00]', name))
  if not fine:
    raise UserError(
        f'sequence {name!r}: not a valid file name on this system; expected '
        'one, as results are saved under it: rename the folder of the sequence'
        )


def _is_device(name: str) -> bool:
  """Whether Windows takes a name, with any ending, for a device."""
  return name.partition('.')[0].strip().upper() in _DEVICES
