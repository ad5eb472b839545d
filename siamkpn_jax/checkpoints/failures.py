"""What Orbax, and the libraries below it, say and print where they fail."""

import contextlib
import gc
import logging
import os
import re
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from siamkpn_jax.core.atomic_io import NO_ROOM
from siamkpn_jax.core.errors import UserError, first_line, raised_in

_LIBRARIES = {'orbax', 'tensorstore'}


def unreadable(path: Path, error: Exception) -> UserError:
  """What to say where files that may be intact cannot be loaded."""
  return UserError(
      f'{path}: cannot be read ({os_reason(error)}); nothing of it was '
      'changed: see to the cause and try again, or choose another checkpoint')


@contextlib.contextmanager
def loading(path: Path) -> Iterator[None]:
  """Turns what Orbax raises, from files that are intact, into a UserError.

  Orbax, TensorStore and the devices raise errors of many kinds.
  """
  # What reads the other arrays is then dropped, each with a traceback: in
  # their threads, and by the garbage collector. Others' errors are shown.
  hooks = excepthook, unraisablehook = sys.excepthook, sys.unraisablehook
  sys.excepthook = lambda kind, error, trace: (
      None if _of_orbax(error, trace) else excepthook(kind, error, trace))
  sys.unraisablehook = lambda dropped: (
      None if _of_orbax(dropped.exc_value, dropped.exc_traceback)
      else unraisablehook(dropped))
  try:
    with quiet():
      try:
        yield
      except UserError:
        raise
      except Exception as error:
        if raised_in(error).startswith('siamkpn_jax.') and (
            not isinstance(error, ValueError)):
          raise  # a bug
        traceback.clear_frames(error.__traceback__)
        gc.collect()
        raise unreadable(path, error) from error
  finally:
    sys.excepthook, sys.unraisablehook = hooks


def _of_orbax(error: BaseException | None,
              trace: types.TracebackType | None) -> bool:
  """Whether an error passed Orbax or TensorStore, or came too late for them.

  TensorStore's threads tell a loop of asyncio that they are done; once it is
  closed the loop, which others have as well, is all that the error passed.
  """
  names = {frame.f_globals.get('__name__', '').partition('.')[0]
           for frame, _ in traceback.walk_tb(trace)}
  return not names.isdisjoint(_LIBRARIES) or (
      names <= {'asyncio', 'uvloop'} and str(error) == 'Event loop is closed')


def _is_shown(record: logging.LogRecord) -> bool:
  """Whether a record is of others; asyncio's tell of which task they are."""
  error = record.exc_info[1] if record.exc_info else None
  place = {*Path(record.pathname).parts} if record.name == 'absl' else {
      name for name in _LIBRARIES if name in record.getMessage()}
  return place.isdisjoint(_LIBRARIES) and not (
      error and _of_orbax(error, error.__traceback__))


def os_reason(error: BaseException) -> str:
  """What the operating system says in an error, or the error's first line."""
  code = _os_code(error)
  return os.strerror(code) if code else first_line(error)


def is_no_room(error: BaseException) -> bool:
  """Whether there is no room for a file."""
  return _os_code(error) in NO_ROOM


def _os_code(error: BaseException) -> int | None:
  found = re.search(r"os_error_code='(\d+)'", str(error))  # of TensorStore
  return int(found[1]) if found else getattr(error, 'errno', None)


@contextlib.contextmanager
def _filtered(shown: Callable[[logging.LogRecord], bool],
              *names: str) -> Iterator[None]:
  """Of loggers, other records than those to be shown are dropped."""
  loggers = [logging.getLogger(name) for name in names]
  for logger in loggers:
    logger.addFilter(shown)
  try:
    yield
  finally:
    for logger in loggers:
      logger.removeFilter(shown)


def without_tracebacks() -> contextlib.AbstractContextManager[None]:
  """Orbax's threads log the traceback of what they then raise as well."""
  return _filtered(lambda record: not (
      record.exc_info and 'orbax' in Path(record.pathname).parts), 'absl')


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Orbax and the libraries below it report what becomes our one line."""
  with warnings.catch_warnings(), _filtered(_is_shown, 'absl', 'asyncio'):
    warnings.simplefilter('ignore')
    yield
