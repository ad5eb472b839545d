"""Runs the commands as a user does, but in this process."""

import dataclasses
import importlib
import os
from unittest import mock


@dataclasses.dataclass(frozen=True)
class Done:
  """How a command ended; named as by `subprocess.run`."""

  returncode: int
  stdout: str
  stderr: str


def run(capfd, name, *flags):
  """Calls main() of `siamkpn_jax.<name>`; its environment is put back.

  Args:
    capfd: pytest's fixture, which sees what C libraries print as well.
    name: of the command's module.
    *flags: arguments, made text.
  """
  module = importlib.import_module(f'siamkpn_jax.{name}')
  capfd.readouterr()
  with mock.patch.dict(os.environ):
    status = module.main([str(flag) for flag in flags])
  return Done(status, *capfd.readouterr())


def assert_one_line(done, *words, code=2):
  """One `error:` line with these words, and nothing else."""
  assert done.returncode == code, done.stderr
  assert done.stdout == ''
  (line,) = done.stderr.splitlines()
  assert line.startswith('error: ')
  for word in words:
    assert word in line, line
