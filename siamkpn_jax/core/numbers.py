"""Numbers as people and programs write them.

Python reads more: 1_0 is 10 to it, and digits of every script are digits. In a
flag or a file that is a slip or damage, and no number.
"""

from typing import Any


def real(value: Any) -> float:
  """A number, or text of one; `nan` and `inf` are.

  Raises:
    ValueError: other text.
    TypeError: neither; truth values are not.
    OverflowError: an integer that is too large for a float.
  """
  if isinstance(value, str):
    return float(_plain(value))
  if isinstance(value, bool):
    raise TypeError('a truth value is no number')
  return float(value)


def whole(text: str) -> int:
  """The whole number of a text.

  Raises:
    ValueError: it is none.
  """
  return int(_plain(text))


def is_plain(text: str) -> bool:
  """Whether what is a number to Python in a text is one to others too."""
  return text.isascii() and '_' not in text


def is_count(text: str) -> bool:
  """Whether a text is nothing but the digits of a number."""
  return text.isascii() and text.isdigit()


def _plain(text: str) -> str:
  if not is_plain(text):
    raise ValueError(f'{text[:40]!a} is no number')
  return text
