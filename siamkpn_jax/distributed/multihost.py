"""What the processes of a run tell each other outside of the training step.

With one process nothing is exchanged. Every function but `is_main_host` and
`log_main` must be called by all processes, in the same order.
"""

import os
import secrets
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from siamkpn_jax.core.atomic_io import file_errors
from siamkpn_jax.core.errors import UserError

T = TypeVar('T')


def is_main_host() -> bool:
  """Whether this is process 0, which alone prints and writes logs."""
  return jax.process_index() == 0


def log_main(text: str) -> None:
  """Prints on stderr, on process 0 alone."""
  if is_main_host():
    print(text, file=sys.stderr)


def gather_text(text: str) -> list[str]:
  """The texts of all processes, by their number."""
  if jax.process_count() == 1:
    return [text]
  data = np.frombuffer(os.fsencode(text), np.uint8)
  sizes = multihost_utils.process_allgather(np.int32(len(data)))
  padded = np.zeros(sizes.max() + 1, np.uint8)
  padded[:len(data)] = data
  rows = multihost_utils.process_allgather(padded)
  return [os.fsdecode(bytes(row[:size])) for row, size in zip(
      rows, sizes, strict=True)]


def run_on_all_hosts(what: Callable[[], T]) -> T:
  """The result of what every process does; a mistake on one ends all.

  Args:
    what: of this process.

  Raises:
    UserError: on process 0, of the first process that has one.
    SystemExit: on the others, if any process has one; process 0 tells it.
  """
  if jax.process_count() == 1:
    return what()
  mistake = ''
  try:
    result = what()
  except UserError as error:
    mistake = str(error)
  wrong = [f'process {k}: {text}' if k else text
           for k, text in enumerate(gather_text(mistake)) if text]
  if not wrong:
    return result
  if not is_main_host():
    sys.exit(2)
  more = f' (and {len(wrong) - 1} more processes)' if len(wrong) > 1 else ''
  raise UserError(wrong[0] + more)


def check_same(facts: Sequence[str]) -> None:
  """Checks that all processes know the same, such as sets and settings.

  Args:
    facts: of this process, each a line 'name: value'.

  Raises:
    UserError: on process 0, naming a process, its host and what differs.
    SystemExit: on the others, where any differs.
  """
  if jax.process_count() == 1:
    return
  rows = gather_text('\n'.join([socket.gethostname(), *facts]))
  (host, *expected), *others = [row.split('\n') for row in rows]
  differing = []
  for k, (there, *found) in enumerate(others, 1):
    if found != expected:
      only = lambda some, rest: '; '.join(
          x for x in some if x not in rest) or 'nothing'
      differing.append(
          f'process {k} ({there}) has {only(found, expected)}, process 0 '
          f'({host}) has {only(expected, found)}')
  if not differing:
    return
  if not is_main_host():
    sys.exit(2)
  more = (f'; {len(differing) - 1} more processes differ'
          if len(differing) > 1 else '')
  raise UserError(f'{differing[0]}{more}; expected the same settings and data '
                  'sets on every host')


def check_shared(folder: Path) -> None:
  """Checks that all processes see one and the same folder.

  Raises:
    UserError: they do not; on process 0, as for `run_on_all_hosts`.
  """
  if jax.process_count() == 1:
    return
  name = gather_text(f'.shared_{secrets.token_hex(8)}')[0]
  def write():
    if is_main_host():
      with file_errors(folder / name):
        (folder / name).touch()
  def look():
    if not (folder / name).exists():
      raise UserError(
          f'{folder.absolute()} on {socket.gethostname()}: not the folder that '
          'process 0 writes to; expected a shared folder: choose another '
          '--workdir')
  run_on_all_hosts(write)
  try:
    run_on_all_hosts(look)
  finally:
    if is_main_host():
      (folder / name).unlink(missing_ok=True)
