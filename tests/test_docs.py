"""What the documentation names exists, and its commands parse."""

import ast
import functools
import importlib
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

import siamkpn_jax
from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.cli.siamkpn import COMMANDS
from siamkpn_jax.config.files import load_config
from siamkpn_jax.config.settings import Config, flatten
from siamkpn_jax.datasets import synthetic
from tests.optional import import_or_skip

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / 'README.md', ROOT / 'CONTRIBUTING.md',
                ROOT / 'MODEL_CARD.md', ROOT / 'launch' / 'README.md',
                *(ROOT / 'docs').rglob('*.md')])
# At the start of a line, or after what starts a program on several hosts.
COMMAND = re.compile(
    r'(?:python -m siamkpn_jax\.|^(?:\w+=\S+ +)*siamkpn )([\w-]+)(.*)')
PROGRAM = re.compile(r'python (?:-m (perf\.\w+)|((?:perf|launch)/\w+\.py))')
NAME = re.compile(r'\bsiamkpn_jax((?:\.[A-Za-z_]\w*)+)')
PYTHON = re.compile(r'(?s)```python\n(.*?)```')
LINK = re.compile(r'\]\(([^)#:]+)(?:#[^)]*)?\)')

pages = pytest.mark.parametrize(
    'page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))


@functools.cache
def _text(page):
  return page.read_text(encoding='utf-8')


def _blocks(page):
  """The lines of code blocks, continued ones joined."""
  joined = re.sub(r' *\\\n *', ' ', _text(page))
  fenced = False
  for line in joined.splitlines():
    if line.lstrip().startswith('```'):
      fenced = not fenced
    elif fenced or line.startswith('    '):
      yield line.strip()


def _inline(page):
  return [code.replace('\n', ' ') for code in re.findall(
      r'(?<!`)`([^`]+)`(?!`)', _text(page))]


def _commands(lines):
  for line in lines:
    for name, rest in COMMAND.findall(line):
      yield name, shlex.split(rest.partition('&&')[0], comments=True)


def _parser(name):
  command = importlib.import_module(
      f'siamkpn_jax.cli.{COMMANDS.get(name, name)}')
  parser = Parser(name, '')
  command.add_arguments(parser)
  return parser


def _check_settings(keys):
  known = flatten(Config())
  assert not [key for key in keys if key.partition('=')[0] not in known]


def _packaged(config):
  """Whether --config names a file of the package; else it is the reader's."""
  path = Path(config.partition(':')[0])
  return path.parent in (Path(), Path('configs')) and (
      ROOT / 'siamkpn_jax' / 'configs' / f'{path.stem}.py').is_file()


def test_what_the_pages_hold_is_found():
  """Else the tests below would pass for nothing."""
  count = lambda find: sum(len([*find(page)]) for page in PAGES)
  assert count(lambda page: _commands(_blocks(page))) > 60
  assert count(lambda page: _commands(_inline(page))) > 15
  assert count(lambda page: PROGRAM.findall(_text(page))) > 30
  assert count(lambda page: NAME.findall(_text(page))) > 100
  assert count(lambda page: LINK.findall(_text(page))) > 100
  assert count(lambda page: PYTHON.findall(_text(page))) > 8


@pages
def test_headings_and_tables_begin_a_line(page):
  """Folded into a paragraph, they and the commands below are text."""
  prose = re.sub(r'(?s)```.*?```|`[^`]*`', '', _text(page))
  assert not re.findall(r'(?m)^.*\S (?:#{2,} \w|\|---\|).*$', prose)


@pages
def test_commands_parse(page):
  """Words in capitals stand for themselves; `...` for what was left out."""
  for name, words in _commands(_blocks(page)):
    left_out = '...' in words
    argv, overrides = config_flags.take_overrides(
        [word for word in words if word != '...'])
    parser = _parser(name)
    if left_out:
      _check_flags(parser, argv)
      continue
    args = parser.parse_args(argv)
    _check_settings(overrides)
    for change in getattr(args, 'change', ()):
      _check_settings(re.split(r',(?=\w+\.)', change))
    if getattr(args, 'config', None) and _packaged(args.config):
      load_config(args.config, overrides)


@pages
def test_commands_in_sentences_have_these_flags(page):
  for name, words in _commands(_inline(page)):
    argv, overrides = config_flags.take_overrides(words)
    _check_settings(overrides)
    _check_flags(_parser(name), argv)


def _check_flags(parser, argv):
  known = parser.format_help()
  for word in argv:
    if word.startswith('--'):
      assert re.search(rf'{word.partition("=")[0]}\b', known), word


@pages
def test_paths_exist(page):
  found = re.findall(
      r'\b((?:siamkpn_jax|tests|perf|launch|configs)/[\w./-]+)', _text(page))
  assert not [path for path in found if not (ROOT / path.rstrip('.')).exists()]
  for module, path in PROGRAM.findall(_text(page)):
    assert (ROOT / (path or f'{module.replace(".", "/")}.py')).is_file()


@pages
def test_names_exist(page):
  for name in NAME.findall(_text(page)):
    _find(name.split('.')[1:])


def _find(parts):
  """A name below the package: a module, or something in one."""
  if len(parts) == 1 and parts[0] in siamkpn_jax.__all__:
    return
  path = ROOT / 'siamkpn_jax'
  for used, part in enumerate(parts):
    if not ((path / part).is_dir() or (path / f'{part}.py').is_file()):
      assert used, parts
      found = importlib.import_module('.'.join(['siamkpn_jax', *parts[:used]]))
      for name in parts[used:]:
        found = getattr(found, name)
      return
    path /= part


@pages
def test_python_examples_import_what_there_is(page):
  for code in PYTHON.findall(_text(page)):
    for node in ast.walk(ast.parse(code)):
      if isinstance(node, ast.ImportFrom) and node.module == 'siamkpn_jax':
        assert {name.name for name in node.names} <= {*siamkpn_jax.__all__}
      elif isinstance(node, ast.ImportFrom) and (
          node.module.startswith('siamkpn_jax.')):
        for name in node.names:
          _find([*node.module.split('.')[1:], name.name])


@pages
def test_links_lead_to_files(page):
  """For readers of the repository; `make docs` checks the site's anchors."""
  for link in LINK.findall(_text(page)):
    assert (page.parent / link).exists(), link


def test_every_setting_is_in_the_reference():
  text = _text(ROOT / 'docs' / 'reference' / 'configuration.md')
  sections = {type(section).__name__ for section in vars(Config()).values()
              if not isinstance(section, str | int)}
  assert not [name for name in {*sections, 'Config'}
              if not re.search(rf'^::: .*\.{name}$', text, re.MULTILINE)]


def test_every_public_name_is_in_the_reference():
  text = _text(ROOT / 'docs' / 'reference' / 'api.md')
  names = {*siamkpn_jax.__all__} - {'Config'}  # which has a page of its own
  assert not [name for name in names
              if not re.search(rf'^::: .*\.{name}$', text, re.MULTILINE)]


def test_the_tutorial_of_programs_runs(tmp_path, monkeypatch, capsys):
  """On a video of noise."""
  monkeypatch.chdir(tmp_path)
  frame = np.random.default_rng(0).integers(0, 256, (240, 400, 3), np.uint8)
  video = cv2.VideoWriter(
      'in.mp4', cv2.VideoWriter_fourcc(*'mp4v'), 25, (400, 240))
  for _ in range(2):
    video.write(frame)
  video.release()
  video, one, many, mistake = _python('program')
  exec(video, {})
  assert len(re.findall(r'tracked|lost', capsys.readouterr().out)) == 4
  exec(one, {})
  assert len(capsys.readouterr().out.split()) == 6  # found, box, score
  exec(many, {})
  assert len(capsys.readouterr().out.splitlines()) == 1
  exec(mistake, {})
  assert 'check the path' in capsys.readouterr().out


def test_the_example_of_a_saved_state_runs(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  frame = np.random.default_rng(0).integers(0, 256, (240, 400, 3), np.uint8)
  for number in range(1, 4):
    cv2.imwrite(f'000{number}.jpg', frame)
  (code,) = re.findall(r'(?s)```python\n(.*?)```',
                       _text(ROOT / 'docs' / 'tracking.md'))
  scope = {}
  exec(code, scope)
  assert scope['box'].shape == (4,)


def _python(tutorial):
  return re.findall(r'(?s)```python\n(.*?)```',
                    _text(ROOT / 'docs' / 'tutorials' / f'{tutorial}.md'))


def test_the_tutorial_of_deploying_runs(tmp_path, monkeypatch):
  """Its Python; what deploy.py does with it is test_export's."""
  import_or_skip('onnxruntime', 'the export runs what it writes')
  import_or_skip('onnx', 'what is exported')
  monkeypatch.chdir(tmp_path)
  (code,) = _python('deploy')
  exec(code, {})
  assert {path.suffix for path in (tmp_path / 'nano').iterdir()} == {
      '.onnx', '.json'}


def test_the_tutorial_of_evaluation_runs(tmp_path, monkeypatch, capsys):
  """On two rendered frames, whose results are those that are scored again."""
  monkeypatch.chdir(tmp_path)
  synthetic.write_otb('OTB100', seed=0, count=1, length=3)
  (code,) = _python('evaluate')
  exec(code.replace("'DIR'", "'results'"), {})
  assert len(capsys.readouterr().out.split()) == 2
