"""The study of variants: what it trains, what it writes, how it goes on."""

import json
import types
from pathlib import Path

import cv2
import pytest

from siamkpn_jax.checkpoints import weights
from siamkpn_jax.cli.command import execute
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.synthetic import split_seed, write_otb
from siamkpn_jax.evaluation.formats.sequences import load_otb
from siamkpn_jax.experiments import ablation
from siamkpn_jax.models.siamkpn import build_model, init_variables
from tests.training.tiny import tiny_config

ROOT = Path(__file__).parents[1]


@pytest.fixture
def trained(monkeypatch):
  """Which variants were trained; a training gives fresh weights at once."""
  names = []

  def train(config, folder, sources):
    assert [source.name for source in sources] == ['synthetic']
    names.append(config.name)
    if not folder.exists():
      variables = init_variables(build_model(config.model), config.seed)
      weights.save_model(folder, config, variables)
    return types.SimpleNamespace(skipped=3)

  monkeypatch.setattr(ablation.trainer, 'train', train)
  monkeypatch.setattr(ablation.jax, 'clear_caches', lambda: None)
  return names


def test_study(trained, tmp_path):
  """Every variant with every seed, once; the table says what they reached."""
  config = tiny_config(data={'sets': ('synthetic',)})
  names = write_otb(tmp_path / 'videos', seed=split_seed('test', 0), count=1,
                    length=4)
  videos = load_otb(tmp_path / 'videos', names=names)
  variants = ablation.make_variants(config, ['model.num_stages=2'])
  output = tmp_path / 'out'
  ablation.run(variants, [0], output, videos)
  table = ablation.run(variants, [0, 1], output, videos)
  assert trained == [
      'baseline_seed0', 'model.num_stages=2_seed0', 'baseline_seed1',
      'model.num_stages=2_seed1']
  folder = output / 'model.num_stages=2' / 'seed1'
  stored = weights.read_config(weights.find_checkpoint(folder))
  assert (stored['model']['num_stages'], stored['seed']) == (2, 1)
  assert (output / 'ablation.md').read_text() == table
  assert table.splitlines()[3].startswith('| `model.num_stages=2` | ')
  auc = json.loads((folder / 'result.json').read_text())['result'][
      'success_auc']
  assert f', {auc:.3f} | 3, 3 |' in table.splitlines()[3]
  assert cv2.imread(str(output / 'ablation.png')) is not None
  config = config.updated(data={'workers': 7}, validation={'sequences': 0})
  variants = ablation.make_variants(config, ['model.num_stages=2'])
  assert ablation.run(variants, [0, 1], output, videos) == table
  assert len(trained) == 4
  config = config.updated(train={'clip_norm': 1.0})
  with pytest.raises(UserError, match='clip_norm is 10.0 there, 1.0 here'):
    ablation.run(ablation.make_variants(config, []), [0], output, videos)


def test_other_videos_are_tracked_again(trained, tmp_path):
  """Results of different ones never meet in a table."""
  config = tiny_config(data={'sets': ('synthetic',)})
  variants = ablation.make_variants(config, [])
  found = []
  for count in (1, 2):
    names = write_otb(tmp_path / 'videos', seed=split_seed('test', 0),
                      count=count, length=3)
    videos = load_otb(tmp_path / 'videos', names=names)
    ablation.run(variants, [0], tmp_path, videos)
    found.append(json.loads(
        (tmp_path / 'baseline' / 'seed0' / 'result.json').read_text()))
  assert found[0]['videos'] != found[1]['videos']
  assert len(list((tmp_path / 'baseline' / 'seed0' / 'tracks').glob('*.txt'))
             ) == 2


@pytest.mark.parametrize('text', ['{"config": {}', '{}', '[]'])
def test_damaged_result(trained, tmp_path, text):
  """One line; the user decides."""
  path = tmp_path / 'baseline' / 'seed0' / 'result.json'
  path.parent.mkdir(parents=True)
  path.write_text(text)
  with pytest.raises(UserError, match=r'result\.json: not a result'):
    ablation.run(ablation.make_variants(tiny_config(), []), [0], tmp_path, [])
  assert not trained


def test_table():
  """Mean and the deviation of a sample, by hand."""
  by_seed = {seed: {'success_auc': auc, 'precision_20': 0.5, 'skipped': seed}
             for seed, auc in enumerate([0.2, 0.4, 0.6])}
  lines = ablation.make_table({'baseline': by_seed}).splitlines()
  assert lines[2] == ('| baseline | 0.400 ± 0.200 | 0.500 ± 0.000 | 0.200, '
                      '0.400, 0.600 | 0, 1, 2 |')


@pytest.mark.parametrize('changes', [
    ['targets.rho=1.0', 'targets.rho=1.0'], [''],
    ["data.sets=('a',)", "data.sets=['a',]"]])
def test_changes_must_differ(changes):
  """Else two variants would share a folder."""
  with pytest.raises(UserError, match='empty or duplicate'):
    ablation.make_variants(tiny_config(), changes)


def test_variants_with_configurations_of_their_own():
  """After the changes, and as different from them as they from another."""
  base, other = tiny_config(), tiny_config(model={'num_stages': 2})
  variants = ablation.make_variants(
      base, ['targets.rho=1.0'], [ablation.Variant('a/b.py:c', other)])
  assert [variant.name for variant in variants] == [
      'baseline', 'targets.rho=1.0', 'a/b.py:c']
  assert variants[2].config is other and '/' not in variants[2].folder
  for name in 'targets.rho=1.0', 'baseline', '':
    with pytest.raises(UserError, match='empty or duplicate'):
      ablation.make_variants(base, ['targets.rho=1.0'],
                             [ablation.Variant(name, other)])


def test_a_variant_has_the_overrides_too(monkeypatch, tmp_path):
  """The three configurations of the paper, as one study."""
  rows = []
  monkeypatch.setattr(ablation, 'run', lambda variants, *_: rows.extend(
      (v.name, v.config.model.num_stages, v.config.train.epochs)
      for v in variants))
  assert execute('ablate', [
      '--config=kpn3s', '--variant=kpn1s', '--variant=kpn2s:paper',
      '--config.train.epochs=3', '--sequences=1',
      f'--output={tmp_path / "out"}']) == 0
  assert rows == [('baseline', 3, 3), ('kpn1s', 1, 3), ('kpn2s:paper', 2, 3)]


@pytest.mark.parametrize(('flags', 'words'), [
    (['--change=model.stages=1'], 'unknown setting model.stages'),
    (['--variant=nowhere'], '--variant nowhere: no such file'),
    (['--variant=demo'], "'demo': the same configuration as 'baseline'"),
    (['--variant=demo:1'], "'demo:1': the same configuration as 'baseline'"),
    (['--seeds=1,b'], '--seeds=1,b: expected numbers'),
    (['--seeds='], '--seeds=: expected numbers'),
    (['--data='], '--data: empty; expected a path'),
    (['--data=nowhere'], '--data nowhere: no such folder')])
def test_mistakes_on_the_command_line(command, tmp_path, flags, words):
  """One line, nothing written."""
  done = command('ablate', '--config', 'demo', f'--output={tmp_path / "out"}',
                 *flags)
  assert done.returncode == 2
  (line,) = done.stderr.splitlines()
  assert line.startswith('error: ') and words in line
  assert not list(tmp_path.iterdir())
