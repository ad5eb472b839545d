"""What a path that is neither a file nor a folder is, in words."""

import os
import re
import stat

_KINDS = ((stat.S_ISFIFO, 'a pipe'), (stat.S_ISSOCK, 'a socket'),
          (stat.S_ISCHR, 'a device'), (stat.S_ISBLK, 'a device'))


def other_kind(path: str | os.PathLike[str]) -> str:
  """What there is instead of a file or a folder.

  Args:
    path: as the user gives it.

  Returns:
    Such as 'this is a pipe'; '' for a file, a folder, or nothing at all.
  """
  name = os.fspath(path)
  if re.match(r'[A-Za-z][A-Za-z0-9+.-]+:/', name) and not os.path.exists(name):
    return 'this is a URL'
  try:
    mode = os.stat(name).st_mode
  except FileNotFoundError:
    if os.path.islink(name):
      return f'this is a link to {os.readlink(name)!r}, which is not there'
    return 'this is standard input' if name == '-' else ''
  except (NotADirectoryError, ValueError):  # a NUL character
    return ''
  except OSError as error:
    return f'this cannot be opened ({error.strerror})'
  kind = next((kind for fits, kind in _KINDS if fits(mode)), '')
  return f'this is {kind}' if kind else ''
