"""Which code made a file."""

import functools
import subprocess
from importlib import metadata
from pathlib import Path


@functools.cache
def git_revision() -> str:
  """The commit of this program, with '-dirty' if tracked files differ from it.

  Where it is installed without its repository: 'version' and its number.
  """
  package = Path(__file__).parent
  try:
    described = _git(package, 'describe', '--always', '--dirty', '--abbrev=40',
                     '--exclude=*')
    if _git(package, 'ls-files', Path(__file__).name):  # not another's tree
      return described
  except (OSError, subprocess.SubprocessError):
    pass
  return f'version {metadata.version("siamkpn_jax")}'


def _git(folder: Path, *arguments: str) -> str:
  return subprocess.run(
      ['git', *arguments], cwd=folder, check=True, capture_output=True,
      text=True, timeout=10).stdout.strip()
