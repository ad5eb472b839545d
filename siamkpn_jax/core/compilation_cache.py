"""JAX's persistent compilation cache, in the user's cache folder.

JAX's own limit of its size needs a package that JAX does not install (filelock)
and lets processes wait for each other; so the folder is trimmed here.
"""

import hashlib
import os
import platform
import sys
from pathlib import Path

from siamkpn_jax.core.cpuinfo import processor_field
from siamkpn_jax.core.user_cache import cache_folder, trim

_FOLDER = 'jax_compilation_cache_dir'
_LEAST = 'jax_persistent_cache_min_compile_time_secs'
_LEAST_SECONDS = 0.1  # what compiles faster is not kept


def use_compilation_cache() -> Path | None:
  """Lets JAX keep compiled programs for the next run.

  The commands do so by themselves; in Python it is up to you, since it holds
  for every program that this process compiles with JAX. It does not import JAX,
  and may be called at any time before the first computation. A folder that you
  have given to JAX stays, such as JAX_COMPILATION_CACHE_DIR of the environment;
  what is set here is set for the processes that this one starts as well.

  Returns:
    The folder; None if the cache is switched off (SIAMKPN_CACHE=off) or its
    folder cannot be written to.

  Examples:
    >>> import siamkpn_jax
    >>> folder = siamkpn_jax.use_compilation_cache()
    >>> tracker = siamkpn_jax.load_tracker(engine='jax')
  """
  jax = sys.modules.get('jax')
  given = os.environ.get(_FOLDER.upper())
  if given is None and jax:
    given = jax.config.jax_compilation_cache_dir
  if given is not None:
    return Path(given) if given else None
  folder = _folder()
  if folder is None:
    return None
  trim(folder.parent)
  for name, value in {_FOLDER: str(folder), _LEAST: _LEAST_SECONDS}.items():
    if name.upper() not in os.environ:
      os.environ[name.upper()] = str(value)  # read when JAX is imported
      if jax:
        jax.config.update(name, value)
  return folder


def leave_compilation_cache() -> None:
  """Takes `use_compilation_cache` back, for processes that compute as one.

  JAX lets the first process alone write. On hosts with folders of their own it
  would take its program from there while the others compile, and wait for what
  it should contribute; a folder that the user has given is shared, or meant.
  """
  import jax
  if jax.config.values[_FOLDER] in (str(_folder()), None):
    jax.config.update(_FOLDER, None)
    os.environ.pop(_FOLDER.upper(), None)


def _folder() -> Path | None:
  return cache_folder(f'compiled-{_processor()}')


def _processor() -> str:
  """A name of what machine code may be run here.

  The same home may be that of machines whose processors can do less: XLA loads
  what it cannot run with a warning, and the process may crash.
  """
  features = processor_field('flags', 'Features')
  known = (' '.join(sorted(features.split())) if features else
           platform.processor())
  digest = hashlib.sha256(f'{sys.platform} {known}'.encode()).hexdigest()
  return f'{platform.machine()}-{digest[:12]}'
