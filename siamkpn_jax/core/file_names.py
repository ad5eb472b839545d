"""Names of files that every system can hold, Windows included."""

import os
import re

from siamkpn_jax.core.errors import UserError

# Systems allow 255 bytes, of which the names of results need some.
LONGEST = 200

_DEVICES = {'CON', 'PRN', 'AUX', 'NUL', 'CONIN$', 'CONOUT$', *(
    f'{port}{k}' for port in ('COM', 'LPT') for k in '123456789¹²³')}
_FORBIDDEN = r'[<>:"/\\|?*\x00-\x1f]'


def portable_name(text: str) -> str:
  """A name for a file or folder, as near to `text` as all systems allow."""
  name = re.sub(r'[^\w.=+-]+', '_', text).rstrip('.')
  if not name or _is_device(name):
    name = f'_{name}'
  return name


def file_name(name: str) -> str:
  """What the files of a sequence are called, on every system.

  A name that `check_name` accepts stands for itself. What Windows forbids in
  it, what hides a file and what is not UTF-8 is written as its bytes are in
  addresses: `a:b` is saved as `a%3Ab`.
  """
  name = re.sub(rf'{_FORBIDDEN}|[\x7f\ud800-\udfff]|^\.|[. ]$', _escaped, name)
  return _escaped(name[0]) + name[1:] if _is_device(name) else name


def check_name(name: str, where: str, *, from_disk: bool = False) -> None:
  """Checks the name of a sequence, before it becomes a part of paths.

  Args:
    name: as a list or an annotation file tells it.
    where: it comes from, for the message.
    from_disk: it is that of a file, which need not be UTF-8.

  Raises:
    UserError: it leads elsewhere, or no file can have it.
  """
  reason = _reason(name, from_disk)
  if reason:
    shown = ascii(name) if len(ascii(name)) <= 70 else f"{ascii(name)[:66]}...'"
    raise UserError(f'{where}: {shown} cannot be the name of a sequence, as '
                    f'{reason}; expected the name of a file, as results are '
                    'saved under it: rename the sequence')


def stays_inside(path: str) -> bool:
  """Whether a path, on any system, cannot lead out of the folder it is in."""
  parts = path.replace('\\', '/').split('/')
  return not ('..' in parts or not parts[0] or ':' in parts[0] or '\0' in path)


def _reason(name: str, from_disk: bool) -> str:
  """Why a name cannot be used; '' if it can."""
  for wrong, reason in (
      (not name.strip(), 'it is empty'),
      (name in ('.', '..'), 'it is another folder'),
      (re.search(r'[/\\]', name), 'it has a separator of folders'),
      ('\0' in name, 'it has a NUL character')):
    if wrong:
      return reason
  try:
    # Not every encoding of file names has all characters.
    length = max(len(os.fsencode(name)), len(os.fsencode(file_name(name))))
    name.encode('utf-8', 'surrogateescape' if from_disk else 'strict')
  except UnicodeEncodeError:
    return 'it has characters that no file name can have here'
  if length > LONGEST:
    return f'it is {length} bytes long, {length - LONGEST} too many'
  return ''


def _escaped(found: str | re.Match[str]) -> str:
  text = found if isinstance(found, str) else found[0]
  return ''.join(f'%{byte:02X}'
                 for byte in text.encode('utf-8', 'surrogateescape'))


def _is_device(name: str) -> bool:
  """Whether Windows takes a name, with any ending, for a device."""
  return name.partition('.')[0].strip().upper() in _DEVICES
