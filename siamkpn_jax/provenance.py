"""Which code made a file."""

import functools
import subprocess
from pathlib import Path

import siamkpn_jax


@functools.cache
def git_revision() -> str:
  """The commit of this program, with '-dirty' if tracked files differ from it.

  Without its repository, or where git does not work: 'version' and its number.
  """
  package = Path(__file__).parent
  try:
    described = _git(package, 'describe', '--always', '--dirty', '--abbrev=40',
                     '--exclude=*')
    if _git(package, 'ls-files', Path(__file__).name):  # not another's tree
      return described
  except (OSError, subprocess.SubprocessError):
    pass
  return f'version {siamkpn_jax.__version__}'


def _git(folder: Path, *arguments: str) -> str:
  return subprocess.run(
      ['git', *arguments], cwd=folder, check=True, capture_output=True,
      text=True, timeout=10).stdout.strip()
