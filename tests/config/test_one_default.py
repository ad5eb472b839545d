"""A setting has one default: that of siamkpn_jax/config."""

import ast
from pathlib import Path

import siamkpn_jax
from siamkpn_jax.config.section import Section, types_of
from siamkpn_jax.config.settings import Config

ROOT = Path(siamkpn_jax.__file__).parent
# Not `validation`: its data, sequences and frames are those of any benchmark.
SECTIONS = {name: set(types_of(type(part))) for name, part in
            vars(Config()).items()
            if isinstance(part, Section) and name != 'validation'}


def second_defaults(source):
  """'Class.setting' of every default that is written out a second time.

  A class that has two names of one section, as fields or as arguments of
  __init__, speaks of these settings (one alone, such as the `padding` of a
  convolution, is another thing of that name). Their defaults must be read from
  the section, as `ModelConfig.arch`, or be absent; None means "not given".
  """
  found = []
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.ClassDef):
      defaults = _defaults(node)
      for names in SECTIONS.values():
        shared = names & set(defaults)
        if len(shared) > 1:
          found += [f'{node.name}.{name}' for name in sorted(shared)
                    if _is_written_out(defaults[name])]
  return found


def _defaults(node):
  """Field or argument -> the default's expression, None without one."""
  found = {}
  for part in node.body:
    if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
      found[part.target.id] = part.value
    elif isinstance(part, ast.FunctionDef) and part.name == '__init__':
      args = part.args
      ordered = [*args.posonlyargs, *args.args]
      missing = [None] * (len(ordered) - len(args.defaults))
      found |= dict(zip([a.arg for a in ordered], missing + args.defaults,
                        strict=True))
      found |= dict(zip([a.arg for a in args.kwonlyargs], args.kw_defaults,
                        strict=True))
  return found


def _is_written_out(default):
  """Whether an expression holds a value and no setting."""
  if default is None or (
      isinstance(default, ast.Constant) and default.value is None):
    return False
  return not any(
      isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and
      part.value.id.endswith('Config') for part in ast.walk(default))


def test_no_class_repeats_a_default():
  paths = set(ROOT.rglob('*.py')) - set((ROOT / 'config').glob('*.py'))
  found = [f'{path.relative_to(ROOT)}: {name}' for path in sorted(paths)
           for name in second_defaults(path.read_text())]
  assert not found


def test_finds_repetitions():
  """In fields and in arguments; not those that are read from a section."""
  assert second_defaults('''
class A:
  alpha: float = 2.0
  beta: float
  gamma: float = LossConfig.gamma
''') == ['A.alpha']
  assert second_defaults('''
class B:
  def __init__(self, x, workers=0, *, prefetch: int = 4, cache_mb=None):
    pass
''') == ['B.prefetch', 'B.workers']
  assert second_defaults('''
class C:
  padding: int = 0
  other: int = 1
''') == []
  assert second_defaults('class D:\n  arch: str\n  width: int = _STEM') == [
      'D.width']
