"""What a user sees of a mistake: one line, an exit status, no traceback.

`execute` is tested with a command of a few lines, the flags of training with
the real one; every command is started once as a program.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import siamkpn_jax
from siamkpn_jax.cli import command as cli
from siamkpn_jax.cli import siamkpn
from siamkpn_jax.cli.parser import Parser, Switch, whole
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tuning.run import TuningRequest
from siamkpn_jax.tuning.search import SearchPlan
from tests.commands import Done, assert_one_line

ROOT = Path(__file__).parents[2]


class Sample:
  """Prints a number.

  More about it.
  """

  __name__ = 'siamkpn_jax.cli.sample'

  @staticmethod
  def add_arguments(parser):
    parser.add_argument('--do', default='nothing', help='What happens.')
    parser.add_argument('--number', type=whole(), default=0, help='A number.')

  @staticmethod
  def run(args):
    if args.do == 'mistake':
      raise UserError('box.txt: 3 numbers, expected 4')
    if args.do == 'bug':
      raise ZeroDivisionError('of the program')
    if args.do == 'interrupt':
      raise KeyboardInterrupt
    if args.do == 'full':
      raise OSError(28, 'No space left on device', 'out.txt')
    if args.do == 'import':
      raise ModuleNotFoundError("No module named 'optax'", name='optax.losses')
    if args.do == 'arrays':
      raise MemoryError('Unable to allocate 8.00 EiB')
    if args.do == 'memory':
      raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: Out of memory')
    if args.do == 'devices':
      jax.devices()
    if args.do == 'no such module':
      raise ModuleNotFoundError("No module named 'x'", name='x')
    print('done', args.number)
    return 3 if args.do == 'status' else None


@pytest.fixture
def sample(capsys):
  def run(*flags):
    status = cli.execute(Sample(), flags)
    return Done(status, *capsys.readouterr())
  return run


def test_success_and_status(sample):
  done = sample('--number=4')
  assert (done.returncode, done.stdout, done.stderr) == (0, 'done 4\n', '')
  assert sample('--do=status').returncode == 3


def test_device_memory(sample):
  done = sample('--do=memory')
  assert_one_line(done, 'out of device memory', 'RESOURCE_EXHAUSTED')


@pytest.mark.parametrize('error', [
    AssertionError(), RuntimeError("Unable to initialize backend 'cuda'")])
def test_no_such_device(sample, monkeypatch, error):
  """Whatever JAX raises: with JAX_PLATFORMS=cuda an empty AssertionError."""
  def fail():
    raise error
  monkeypatch.setattr(jax, 'devices', fail)
  monkeypatch.setenv('JAX_PLATFORMS', 'cuda')
  assert_one_line(sample('--do=devices'), 'JAX_PLATFORMS=cuda: JAX cannot use',
                  str(error))
  with pytest.raises(type(error)):
    sample('--do=devices', '--debug')


def test_memory(sample):
  assert_one_line(sample('--do=arrays'), 'out of memory (Unable to allocate')


def test_a_bug_where_there_is_no_device_either(sample, monkeypatch):
  """JAX may not have been needed at all."""
  def fail():
    raise RuntimeError("Unable to initialize backend 'cuda'")
  monkeypatch.setattr(jax, 'devices', fail)
  with pytest.raises(ZeroDivisionError):
    sample('--do=bug')


def test_arguments_of_the_process(monkeypatch, capsys):
  monkeypatch.setattr(sys, 'argv', ['x', '--number', '5'])
  assert cli.execute(Sample()) == 0
  assert capsys.readouterr().out == 'done 5\n'


def test_help(sample):
  done = sample('--help')
  assert done.returncode == 0 and not done.stderr
  for text in ('usage: python -m siamkpn_jax.sample', 'Prints a number.',
               '\nMore about it.', '--number', '--debug',
               'What happens; default: nothing.'):
    assert text in done.stdout


@pytest.mark.parametrize(('flag', 'message'), [
    ('--do=mistake', 'box.txt: 3 numbers, expected 4'),
    ('--do=full', 'out.txt: No space left on device; expected a path with read '
     'and write access: check its permissions and the free space'),
    ('--do=import', 'this command needs the package optax, which is not '
     "installed: pip install 'siamkpn_jax[train]'"),
    ('video.mp4', "unexpected argument 'video.mp4': expected only flags "
     '(see --help)'),
    ('--nonsense=3', '--nonsense: unknown flag (see --help)'),
    ('--nummer=3', '--nummer: unknown flag; did you mean --number? '
     '(see --help)'),
    ('--num=3', '--num: unknown flag; did you mean --number? (see --help)'),
    ('--number=many', "--number: expected a whole number, got 'many' "
     '(see --help)'),
    ('--number', '--number: expected one argument (see --help)'),
    ('--config.seed=3', '--config.seed=3: unknown flag (see --help)')])
def test_mistakes(sample, flag, message):
  done = sample(flag)
  assert_one_line(done)
  assert done.stderr == f'error: {message}\n'


@pytest.mark.parametrize('kind', ['mistake', 'full', 'import'])
def test_debug_shows_the_traceback(kind):
  with pytest.raises((UserError, OSError, ModuleNotFoundError)):
    cli.execute(Sample(), [f'--do={kind}', '--debug'])


@pytest.mark.parametrize(('kind', 'error'), [
    ('bug', ZeroDivisionError), ('no such module', ModuleNotFoundError)])
def test_a_bug_is_not_hidden(kind, error):
  with pytest.raises(error):
    cli.execute(Sample(), [f'--do={kind}'])


def test_interrupt(sample):
  done = sample('--do=interrupt')
  assert done.returncode == 130
  assert done.stderr.split() == ['interrupted']


# ---- the real commands

UNKNOWN_KEY = '''
from siamkpn_jax.config.files import default_config

def get_config(arg=''):
  config = default_config()
  config.train.batchsize = 8
  return config
'''

# case: (the flags, what the error line names). {0} is configs/ of the
# repository.
TRAIN = {
    'unknown key': (
        ['--config={0}/demo.py', '--config.train.batchsize=4'],
        ['batchsize', '--config.train.batchsize=4']),
    'wrong type': (
        ['--config={0}/demo.py', '--config.train.batch_size', 'many'],
        ['batch_size', 'many']),
    'no such file': (
        ['--config=configs/missing.py'], ['configs/missing.py']),
    'no such name': (['--config=missing'], ['missing', 'kpn3s']),
    'unknown key in the file': (
        ['--config=unknown.py'], ['batchsize', 'unknown.py']),
    'unknown argument': (
        ['--config={0}/kpn3s.py:nonsense'], ['nonsense', 'otb']),
    'name of another folder': (
        ['--config=kpn3s', '--config.name=../mine'],
        ["config.name '../mine': leads out of the folder runs/"]),
    'no config': ([], ['missing --config', '(see --help)']),
    'no data': (
        ['--config=kpn3s'],
        ['youtube_bb (data/youtube_bb)', 'lasot (data/lasot)',
         'got10k (data/got10k)', 'coco (data/coco)', '--config.data.root=',
         'SIAMKPN_DATA=', 'configs/kpn3s.py:synthetic']),
}

@pytest.mark.parametrize('case', TRAIN)
def test_training_flags(tmp_path, command, monkeypatch, case):
  """One line that names the thing; no traceback, nothing written."""
  flags, words = TRAIN[case]
  monkeypatch.chdir(tmp_path)
  monkeypatch.delenv('SIAMKPN_DATA', raising=False)
  monkeypatch.setattr(sys, 'dont_write_bytecode', True)
  (tmp_path / 'unknown.py').write_text(UNKNOWN_KEY)
  before = sorted(tmp_path.rglob('*'))
  fill = lambda text: text.replace('{0}', str(ROOT / 'configs'))
  done = command('train', *map(fill, flags))
  assert sorted(tmp_path.rglob('*')) == before
  assert_one_line(done, *map(fill, words))
  assert '\\n' not in done.stderr  # no escapes of another message's lines


@pytest.mark.parametrize('name', siamkpn.COMMANDS.values())
def test_every_command_starts(name, tmp_path):
  """As a program, from elsewhere: a wrong flag is the one line that shows."""
  done = subprocess.run(
      [sys.executable, '-m', f'siamkpn_jax.{name}', '--nonsense'],
      cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
      env=os.environ | {'PYTHONPATH': str(ROOT)})
  assert_one_line(Done(done.returncode, done.stdout, done.stderr),
                  '--nonsense: unknown flag')


@pytest.mark.parametrize('name', siamkpn.COMMANDS.values())
def test_every_entry_point_is_thin(name):
  module = importlib.import_module(f'siamkpn_jax.{name}')
  lines = Path(module.__file__).read_text().splitlines()
  assert len(lines) <= 40 and f'python -m siamkpn_jax.{name}' in lines[2]


def test_siamkpn_help(tmp_path):
  """All commands, a line each, at once: without JAX and OpenCV."""
  code = ('import sys; sys.modules.update(dict.fromkeys('
          '["jax", "cv2"])); from siamkpn_jax.cli.siamkpn import main;'
          'sys.exit(main(["--help"]))')
  done = subprocess.run(
      [sys.executable, '-c', code], cwd=tmp_path, capture_output=True,
      text=True, timeout=120, check=True,
      env=os.environ | {'PYTHONPATH': str(ROOT)})
  for name in siamkpn.COMMANDS:
    assert f'\n  {name} ' in done.stdout


@pytest.mark.parametrize('name', siamkpn.COMMANDS)
def test_siamkpn_starts_every_command(capsys, name):
  assert siamkpn.main([name, '--help']) == 0
  out, err = capsys.readouterr()
  assert out.startswith(f'usage: siamkpn {name} [-h]') and not err


@pytest.mark.parametrize('words', [
    ['help', 'eval'], ['evaluate', '--help'], ['help', 'evaluate']])
def test_siamkpn_knows_other_words(capsys, words):
  assert siamkpn.main(words) == 0
  assert capsys.readouterr().out.startswith('usage: siamkpn eval [-h]')


def test_version_and_module():
  done = subprocess.run(
      [sys.executable, '-m', 'siamkpn_jax', '--version'], capture_output=True,
      text=True, timeout=60, check=True,
      env=os.environ | {'PYTHONPATH': str(ROOT)})
  assert done.stdout == f'siamkpn_jax {siamkpn_jax.__version__}\n'
  assert not done.stderr


@pytest.mark.parametrize('name', siamkpn.COMMANDS.values())
def test_defaults_are_in_the_help(name):
  """Of every flag that has one; these do nothing where they are not given."""
  optional = {'attributes', 'beam_pipeline_options', 'boxes', 'change',
              'command', 'config', 'coordinator', 'json', 'names',
              'num_processes', 'output', 'process_id', 'sequences',
              'tracking', 'trackers_ini', 'variant', 'video', 'zero_based'}
  parser = Parser('x', '')
  cli.load(name).add_arguments(parser)
  for action in parser._actions:
    if action.required or action.dest in ('help', 'debug'):
      continue
    if isinstance(action, Switch):
      assert 'default' in action.help or action.default is False
    elif action.default in (None, '', (), []):
      assert 'default' in action.help or action.dest in optional, action.dest
    else:
      value = action.default
      if isinstance(value, tuple):
        value = ','.join(value)
      assert f'default: {value}' in action.help, action.dest


def test_defaults_of_tuning():
  """Which are not at hand where the flags are declared."""
  parser = Parser('x', '')
  cli.load('tune').add_arguments(parser)
  plan = SearchPlan()
  said = {action.dest: action.help for action in parser._actions}
  for name in ('step', 'budget', 'seed', 'batch', 'strategy'):
    assert said[name].endswith(f'; default: {getattr(plan, name)}.')
  for name in ('prune_z', 'last'):
    value = getattr(TuningRequest, name)
    assert said[name].endswith(f'; default: {value:g}.')


def test_siamkpn_refuses(capsys):
  assert siamkpn.main(['trian']) == 2
  assert_one_line(Done(2, *capsys.readouterr()),
                  'trian: unknown command; did you mean train?')
  assert siamkpn.main(['zzz']) == 2
  assert_one_line(Done(2, *capsys.readouterr()),
                  'zzz: unknown command; expected one of track, train, eval')
  assert siamkpn.main([]) == 2
  assert 'usage: siamkpn COMMAND' in capsys.readouterr().err


@pytest.mark.parametrize(('command_name', 'flag'), [
    (name, flag) for name, flags in {
        'evaluate': ('data', 'weights', 'output'),
        'tune': ('data', 'weights', 'output'),
        'score': ('annotations', 'results', 'json'),
        'convert': ('input', 'output'), 'ablate': ('data',),
        'shrink': ('output',), 'train': ('workdir',),
        'trax': ('trackers_ini',)}.items() for flag in flags])
def test_an_empty_path(command, command_name, flag, tmp_path, monkeypatch):
  """`--data "$UNSET"` is not the working folder."""
  monkeypatch.chdir(tmp_path)
  flags = {
      'evaluate': {'data': '.', 'weights': '.', 'output': 'new'},
      'tune': {'benchmark': 'otb', 'data': '.', 'weights': '.',
               'output': 'new'},
      'score': {'benchmark': 'otb', 'annotations': '.', 'results': '.'},
      'convert': {'input': '.', 'output': 'new'},
      'shrink': {'config': 'demo', 'output': 'new'},
      'ablate': {'config': 'demo', 'output': 'new'},
      'train': {'config': 'demo'},
      'trax': {'weights': 'kpn3s_nano'}}[command_name]
  done = command(command_name, *(
      f'--{name}={value}' for name, value in {**flags, flag: ''}.items()))
  assert_one_line(done, f'--{flag}', 'empty')
  assert not list(tmp_path.iterdir())
