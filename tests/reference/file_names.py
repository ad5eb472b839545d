"""Which names Windows can hold, by its documentation, and so all systems."""

_DEVICES = ('CON', 'PRN', 'AUX', 'NUL', 'CONIN$', 'CONOUT$')
_PORTS = ('COM', 'LPT')


def is_portable(name: str) -> bool:
  """Whether a file can have this name everywhere."""
  start = name.split('.', maxsplit=1)[0].strip().upper()
  device = start in _DEVICES or (
      start[:3] in _PORTS and len(start) == 4 and start[3] in '123456789¹²³')
  return (name != '' and name[-1] not in '. ' and not device and
          not any(c in '<>:"/\\|?*' or ord(c) < 32 for c in name))
