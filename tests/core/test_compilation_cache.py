"""Whose programs JAX keeps, and where."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from siamkpn_jax.cli import command
from siamkpn_jax.core import compilation_cache

ROOT = Path(__file__).parents[2]
# Prints whether the program was found in the cache, and the folder.
COMPILE = '''
import sys
import siamkpn_jax
before, jax = sys.argv[1] == 'before', None
if before:
  import jax
folder = siamkpn_jax.use_compilation_cache()
assert before or 'jax' not in sys.modules
import jax
hits = []
jax.monitoring.register_event_listener(
    lambda event, **_: hits.append(event) if 'cache_hits' in event else None)
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
jax.jit(lambda x: jax.numpy.sin(x) @ x)(jax.numpy.ones((8, 8)))
print(len(hits), folder)
'''


def _without_jax():
  return {name: value for name, value in os.environ.items()
          if not name.startswith('JAX_') and name != 'SIAMKPN_CACHE'}


def compile_once(when, **variables):
  done = subprocess.run(
      [sys.executable, '-W', 'error', '-c', COMPILE, when], cwd=ROOT,
      check=True, capture_output=True, text=True,
      env=_without_jax() | variables)
  assert done.stderr == ''
  hits, _, folder = done.stdout.strip().partition(' ')
  return int(hits), None if folder == 'None' else Path(folder)


@pytest.mark.parametrize('when', ['before', 'after'])
def test_a_second_process_compiles_nothing(when, tmp_path):
  """Whether JAX was imported before or after."""
  home = str(tmp_path)
  hits, folder = compile_once(when, XDG_CACHE_HOME=home)
  assert hits == 0
  assert folder.parent.parent == tmp_path / 'siamkpn_jax'
  assert list(folder.iterdir())
  hits, again = compile_once(when, XDG_CACHE_HOME=home)
  assert hits > 0 and again == folder


def test_off_and_unwritable(tmp_path):
  """Programs compile, nothing is kept, and nobody complains."""
  (tmp_path / 'file').write_text('')
  for variables in ({'SIAMKPN_CACHE': 'off'},
                    {'SIAMKPN_CACHE': str(tmp_path / 'file')}):
    assert compile_once('after', XDG_CACHE_HOME=str(tmp_path),
                        **variables) == (0, None)
  assert [p.name for p in tmp_path.iterdir()] == ['file']


def test_the_users_own_stays(tmp_path):
  own, home = tmp_path / 'own', tmp_path / 'home'
  _, folder = compile_once('after', JAX_COMPILATION_CACHE_DIR=str(own),
                           XDG_CACHE_HOME=str(home))
  assert folder == own and list(own.iterdir()) and not home.exists()


def test_processes_that_compute_as_one_have_none(tmp_path):
  """Unless the user has given a folder."""
  code = '''
import siamkpn_jax, sys
from siamkpn_jax.core.compilation_cache import leave_compilation_cache
siamkpn_jax.use_compilation_cache()
leave_compilation_cache()
import jax, os
print(jax.config.jax_compilation_cache_dir,
      os.environ.get('JAX_COMPILATION_CACHE_DIR'))
'''
  for given, want in (({}, 'None None'),
                      ({'JAX_COMPILATION_CACHE_DIR': 'own'}, 'own own')):
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, check=True, text=True,
        stdout=subprocess.PIPE, env=_without_jax() | given | {
            'XDG_CACHE_HOME': str(tmp_path)})
    assert done.stdout.strip() == want


def test_processors_have_folders_of_their_own(monkeypatch):
  here = compilation_cache._processor()
  assert here == compilation_cache._processor()
  flags = {'model name': 'X', 'flags': 'sse avx2 avx512f'}
  names = []
  for changed in ({}, {'flags': 'avx512f sse avx2'}, {'model name': 'Y'},
                  {'flags': 'sse avx2'}):
    text = ''.join(f'{k}\t: {v}\n' for k, v in (flags | changed).items())
    monkeypatch.setattr(Path, 'read_text', lambda self, t=text, **_: t)
    names.append(compilation_cache._processor())
  assert names[0] == names[1] == names[2] != names[3]


def test_commands_switch_it_on(monkeypatch):
  """Before their work, but not to show --help; an import does not."""
  calls = []
  monkeypatch.setattr(command, 'use_compilation_cache',
                      lambda: calls.append('on'))

  class Command:
    """Does nothing."""
    __name__ = 'siamkpn_jax.cli.nothing'
    add_arguments = staticmethod(lambda parser: None)
    run = staticmethod(lambda args: calls.append('run'))

  assert command.execute(Command(), ['--help']) == 0 and calls == []
  assert command.execute(Command(), []) == 0 and calls == ['on', 'run']


def test_an_import_changes_nothing():
  code = ('import jax, siamkpn_jax; siamkpn_jax.load_tracker; '
          'import siamkpn_jax.track, siamkpn_jax.tracking.tracker; '
          'assert jax.config.jax_compilation_cache_dir is None')
  subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True,
                 env=_without_jax())
