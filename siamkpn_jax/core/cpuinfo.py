"""What Linux tells of the processor."""

import re
from pathlib import Path

CPUINFO = Path('/proc/cpuinfo')


def processor_field(*names: str, path: Path = CPUINFO) -> str | None:
  """The value of the first line that has one of these names.

  Args:
    names: such as 'flags', which other processors than x86 call 'Features'.
    path: Linux's file.

  Returns:
    None where there is no such line, or on another system.
  """
  try:
    text = path.read_text(encoding='utf-8', errors='replace')
  except OSError:
    return None
  found = re.search(rf'^(?:{"|".join(map(re.escape, names))})[ \t]*:[ \t]*(.+)',
                    text, re.MULTILINE)
  return found[1] if found else None
