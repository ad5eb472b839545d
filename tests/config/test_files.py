"""Configuration files: which are found, what they may say, overrides."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from siamkpn_jax.config import files
from siamkpn_jax.config.files import (
  config_dict,
  default_config,
  load_config,
  typed,
)
from siamkpn_jax.config.settings import (
  Config,
  config_differences,
  config_from_dict,
  to_plain,
)
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.training import trainer

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / 'configs').glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_packaged_files(path):
  """Each makes a training step and survives JSON."""
  config = load_config(str(path))
  trainer.build_step(config)
  assert config_from_dict(json.loads(json.dumps(to_plain(config)))) == config


def test_found_by_name_and_from_anywhere(tmp_path, monkeypatch):
  """A file that is there comes first."""
  expected = load_config(str(ROOT / 'configs' / 'kpn2s.py'))
  monkeypatch.chdir(tmp_path)
  for name in ('kpn2s', 'configs/kpn2s.py'):
    assert load_config(name) == expected
  assert load_config('configs/kpn3s.py:otb,paper').name == 'kpn3s_otb_paper'
  assert load_config('demo:7').seed == 7
  (tmp_path / 'kpn2s.py').write_text(_file('config.seed = 5'))
  assert load_config('kpn2s.py').seed == 5
  for name in ('kpn4s', 'a/kpn2s', 'kpn4s.py', '/no/where/kpn2s.py'):
    with pytest.raises(UserError, match='no such file; .*kpn3s_nano'):
      load_config(name)


def test_only_sets_of_commercial_use():
  """The compact model's configuration less some sets, its cut-outs' too."""
  plain, less = (load_config(f'kpn3s_nano{arg}') for arg in ('', ':commercial'))
  left_out = set(plain.data.sets + plain.data.cutouts) - set(
      less.data.sets + less.data.cutouts)
  assert left_out == {
      'clips_semiauto', 'mot_persons', 'mot15_adl6', 'davis16val', 'ecssd',
      'davis17_schoolgirls', 'opn_ytvos', 'imagenet_pseudo', 'stills'}
  ratios = dict(zip(plain.data.sets, plain.data.ratios, strict=True))
  assert less.data.ratios == tuple(ratios[name] for name in less.data.sets)
  assert less.updated(name=plain.name, data=plain.data) == plain
  with pytest.raises(UserError, match="'x'; expected cpu, commercial or no_cu"):
    load_config('kpn3s_nano:cpu,x')


def test_the_compact_model_on_a_cpu():
  """A shorter training of the same network on the same data."""
  plain, short, both = (load_config(f'kpn3s_nano{arg}') for arg in (
      '', ':cpu', ':cpu,commercial'))
  assert short.train.total_steps == 7500 and short.train.batch_size == 16
  assert short.updated(name=plain.name, train=plain.train) == plain
  assert both.name == 'kpn3s_nano_cpu_commercial'
  assert both.train == short.train
  assert both.data == load_config('kpn3s_nano:commercial').data


def test_no_cutouts():
  plain, less = (load_config(f'kpn3s_nano{arg}') for arg in ('', ':no_cutouts'))
  assert plain.data.sets == (*less.data.sets, 'cutouts')
  assert plain.data.ratios == (*less.data.ratios, 6.0)
  assert less.updated(name=plain.name, data=plain.data) == plain


def _file(*lines, arguments="arg=''"):
  return '\n  '.join([
      'from siamkpn_jax.config.files import default_config',
      f'def get_config({arguments}):', 'config = default_config()', *lines,
      'return config']).replace('\n  def', '\ndef')


WRONG = {
    'unknown key': (_file('config.train.batchsize = 8'),
                    "unknown configuration key 'batchsize'; did you mean "
                    "'train.batch_size'"),
    'unknown section': (_file('config.trian.epochs = 8'), "key 'trian'"),
    'type': (_file("config.train.epochs = 'a'"), 'TypeError: '),
    'value': (_file('config.train.epochs = 0'), 'config.train.epochs is 0; '),
    'unlocked': (_file('config.unlock()', 'config.train.later = 1'),
                 "key 'train.later'"),
    'a bug of its own': (
        _file("import os; os.environ['NO_SUCH_NAME']"),
        "KeyError: 'NO_SUCH_NAME'"),
    'a bug with an attribute': (
        _file('None.get_config'), 'AttributeError: .*no attribute'),
    'no function': ('a = 1', r': no get_config\(\)'),
    'no argument': (_file(arguments=''), "takes no argument; expected no "
                    "':some': omit it"),
    'syntax': ('def', 'SyntaxError: '),
    'nested': ('lambda:' * 3000 + '1', 'nested too deeply'),
    'nested otherwise': ('-' * 5000 + '1', 'RecursionError: '),
    'no text': ('a = "\0"', '(Syntax|Value)Error: .*null bytes'),
    'import': ('import nothing_of_this_name', 'ModuleNotFoundError: '),
    'result': (_file('config = 5'), r'get_config\(\) returns a int; '),
}


@pytest.mark.parametrize('case', WRONG)
def test_wrong_files(case, tmp_path):
  """One line that names the file."""
  text, words = WRONG[case]
  path = tmp_path / 'mine.py'
  path.write_text(text)
  name = f'{path}:some' if case == 'no argument' else str(path)
  with pytest.raises(UserError, match=words) as info:
    load_config(name)
  assert str(info.value).startswith(f'--config {name}: ')
  assert '\n' not in str(info.value)


@pytest.mark.parametrize(('override', 'key', 'value'), [
    ('train.epochs=1', 'train.epochs', 1),
    ('train.peak_lr=1', 'train.peak_lr', 1.0),
    ('train.shard_optimizer', 'train.shard_optimizer', True),
    ('train.shard_optimizer=true', 'train.shard_optimizer', True),
    ('targets.heatmap_radius=None', 'targets.heatmap_radius', None),
    ('targets.heatmap_radius=3', 'targets.heatmap_radius', 3.0),
    ("model.levels=('layer3','layer4')", 'model.levels', ('layer3', 'layer4')),
    ('model.levels=layer3', 'model.levels', ('layer3',)),
    ('data.root=a=b, c', 'data.root', 'a=b, c'), ('seed=7', 'seed', 7)])
def test_overrides(override, key, value):
  config = load_config('kpn3s', [override])
  assert config_differences(config) == {key: value}


@pytest.mark.parametrize(('override', 'words'), [
    ('train.epoch=1', "key 'train.epoch'; did you mean 'train.epochs'"),
    ('train=1', "unknown configuration key 'train'"),
    ('validation.rendered=4', 'config.validation.rendered is 4; expected 0 if'),
    ('x=1', "unknown configuration key 'x'; "),
    ('train.epochs.x=1', "unknown configuration key 'train.epochs.x'"),
    ('train.epochs', r'--config\.train\.epochs: expected an integer'),
    ('!train.epochs', r'epochs: expected an integer'),
    ('data.root', r'config\.data\.root: expected'),
    ('!name', r'name: expected'),
    ('train.epochs=many', r'epochs=many: expected an integer'),
    ('train.shard_optimizer=2', 'expected True or False'),
    ('train.epochs=0', 'config.train.epochs is 0; expected 1 or more')])
def test_wrong_overrides(override, words):
  with pytest.raises(UserError, match=words) as info:
    load_config('kpn3s:otb', [override])
  assert str(info.value).startswith('--config kpn3s:otb: ')


def test_overrides_hold_together():
  """They are checked when all are made."""
  config = load_config('kpn3s', ['train.accumulate=3', 'train.batch_size=6'])
  assert (config.train.accumulate, config.train.batch_size) == (3, 6)


def test_there_and_back():
  """The ConfigDict of a file has the settings' types, None included."""
  assert typed(default_config()) == Config()
  config = default_config()
  config.targets.heatmap_radius = None
  config.targets.heatmap_radius = 3  # still a number
  assert typed(config).targets.heatmap_radius == 3.0
  with pytest.raises(AttributeError):
    config.later = 1
  other = Config().updated(seed=3, targets={'heatmap_radius': None})
  assert typed(config_dict(other)) == other


def test_a_checkpoint_needs_no_configuration_files():
  """Settings are read, changed and checked without ml_collections."""
  code = ('import sys; from siamkpn_jax.config import files, overrides; '
          'from siamkpn_jax.config.settings import config_from_dict; '
          'overrides.with_tracking(config_from_dict({}), {"size_lr": 0.1}); '
          'assert not {"ml_collections", "jax"} & set(sys.modules)')
  subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)
  assert files.default_config().name == 'kpn3s'
