"""The rooms of the package: who may import whom, and how large a file is."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import siamkpn_jax

ROOT = Path(siamkpn_jax.__file__).parent
# From the top down: a module imports from its own room and those below.
ROOMS = ('entry points', 'cli', 'page', 'experiments', 'tuning', 'training',
         'conversion', 'evaluation', 'tracking', 'checkpoints', 'datasets',
         'models', 'distributed', 'config', 'core')
LONGEST = 350  # lines



def modules() -> dict[str, Path]:
  """Dotted name -> file, of all modules of the package."""
  found = {}
  for path in ROOT.rglob('*.py'):
    parts = ('siamkpn_jax', *path.relative_to(ROOT).with_suffix('').parts)
    found['.'.join(parts).removesuffix('.__init__')] = path
  return found


def room(module: str) -> str:
  """The room of a module; config files and the root are above all."""
  _, _, rest = module.partition('.')
  first = rest.partition('.')[0]
  return first if first in ROOMS else 'entry points'


@functools.cache
def imports() -> dict[str, set[str]]:
  """Module -> those of ours that it imports, anywhere in it.

  Imports inside functions and for type checking count; the bare package, which
  has the version, does not.
  """
  known = modules()
  return {name: set(_imported(ast.parse(path.read_text(encoding='utf-8')),
                              known)) - {name, 'siamkpn_jax'}
          for name, path in known.items()}


def _imported(tree: ast.Module, known: dict[str, Path]) -> Iterator[str]:
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names if alias.name in known)
    elif isinstance(node, ast.ImportFrom):
      assert not node.level, 'relative imports hide where a thing comes from'
      for alias in node.names:
        full = f'{node.module}.{alias.name}'
        if full in known:
          yield full
        elif node.module in known:
          yield node.module


def test_arrows_point_down():
  wrong = {(name, other) for name, others in imports().items()
           for other in others
           if ROOMS.index(room(other)) < ROOMS.index(room(name))}
  assert not wrong


def test_entry_points_do_not_import_each_other():
  """What two of them need is no entry point's."""
  root = {name for name in modules() if name.count('.') == 1 and
          room(name) == 'entry points' and ROOT / f'{name.split(".")[1]}.py' in
          modules().values()}
  wrong = {(name, other) for name in root for other in imports()[name] & root}
  assert not wrong


def test_only_entry_points_at_the_root():
  """Each can be run: `python -m siamkpn_jax.X`."""
  for path in ROOT.glob('*.py'):
    text = path.read_text(encoding='utf-8')
    assert path.stem in {'__init__', 'api'} or '__main__' in text, path


def test_files_are_short():
  long = {name for name, path in modules().items()
          if len(path.read_text(encoding='utf-8').splitlines()) > LONGEST}
  assert not long


def test_no_cycles():
  assert not cycles(imports())


def cycles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
  """Groups of modules that reach one another."""
  reached: dict[str, set[str]] = {}
  for start in graph:
    todo, seen = [start], set()
    while todo:
      for other in graph[todo.pop()] - seen:
        seen.add(other)
        todo.append(other)
    reached[start] = seen
  return {frozenset({other for other in reached[name]
                     if name in reached[other]})
          for name in graph if name in reached[name]}


def test_cycles_are_found():
  assert cycles({'a': {'b'}, 'b': {'c'}, 'c': {'b'}, 'd': {'a'}}) == {
      frozenset('bc')}
