"""Annotations in text files: boxes, labels and names."""

from pathlib import Path

import numpy as np

# All separators that the data sets use, often within one of them.
_TO_SPACES = str.maketrans(',;\t', '   ')


def read_boxes(path: Path) -> np.ndarray:
  """[t, 4] float64 numbers, t >= 1, one line each; they may be NaN.

  Commas, semicolons, tabs or spaces separate.

  Raises:
    OSError: the file is missing or cannot be opened.
    ValueError: it is empty or not text, or a line is not four numbers.
  """
  rows = [line.split() for line in _lines(path)]
  if not rows or any(len(row) != 4 for row in rows):
    raise ValueError(f'{path}: expected four numbers in each line')
  return np.array(rows, np.float64)


def read_labels(path: Path) -> np.ndarray:
  """[t] float64 numbers, t >= 1, on one line or on one line each.

  Raises:
    OSError: the file is missing or cannot be opened.
    ValueError: it is empty or not text, or holds something else than numbers.
  """
  words = ' '.join(_lines(path)).split()
  if not words:
    raise ValueError(f'{path}: expected one number per frame')
  return np.array(words, np.float64)


def read_names(path: Path) -> list[str]:
  """The lines that are not empty, without the blanks around them.

  Raises:
    OSError: the file is missing or cannot be opened.
    ValueError: it is not text.
  """
  lines = path.read_text(encoding='utf-8-sig').splitlines()
  return [line.strip() for line in lines if line.strip()]


def _lines(path: Path) -> list[str]:
  text = path.read_text(encoding='utf-8-sig').rstrip()
  return text.translate(_TO_SPACES).splitlines()
