"""Checks of arrays that were stored, before anything is computed from them.

A file may be whole and still not hold what is expected: written by another
version or by someone else, or repaired by a program that knows nothing of it.
"""

import json
from typing import Any

import numpy as np

from siamkpn_jax.datasets.tracks import Dropped


def take(content: dict[str, np.ndarray], name: str, kinds: str,
         *shape: int | None) -> np.ndarray:
  """An array of a file.

  Args:
    content: of the file.
    name: of the array.
    kinds: the kinds of dtype that it may have, as 'iu' for whole numbers.
    *shape: that it must have; None for an axis of any length.

  Raises:
    ValueError: there is none, or another.
  """
  array = content.get(name)
  if not isinstance(array, np.ndarray):  # other members come as bytes
    raise ValueError(f'{name} is missing')
  fits = len(array.shape) == len(shape) and all(
      want in (None, have) for want, have in zip(shape, array.shape,
                                                 strict=True))
  if array.dtype.kind not in kinds or not fits:
    raise ValueError(f'{name} is {array.dtype}{list(array.shape)}')
  return array


def check(name: str, fits: Any) -> None:
  """Checks that the values of an array are as expected: all of `fits` is true.

  Raises:
    ValueError: they are not.
  """
  if not np.all(fits):
    raise ValueError(f'{name} holds wrong values')


def check_starts(starts: np.ndarray, count: int) -> None:
  """Checks where tracks, at least one and none empty, begin in `count` frames.

  Raises:
    ValueError: they cannot begin there.
  """
  check('starts', len(starts) > 1 and starts[0] == 0 and starts[-1] == count)
  check('starts', starts[1:] > starts[:-1])


def dropped_to_text(dropped: Dropped) -> str:
  """What is left out, as JSON."""
  return json.dumps({reason: (count, dropped.examples[reason])
                     for reason, count in dropped.counts.items()})


def dropped_from_text(text: str) -> Dropped:
  """The opposite of `dropped_to_text`.

  Raises:
    ValueError: it is something else.
  """
  dropped = Dropped()
  try:
    for reason, (count, example) in json.loads(text).items():
      if type(count) is not int or not 0 <= count < 2**63:
        raise ValueError('not a count')
      dropped.add(str(reason), str(example), count)
  except (TypeError, AttributeError, RecursionError) as error:
    raise ValueError('dropped holds wrong values') from error
  return dropped
