"""Whatever the metadata of a checkpoint holds, it is used or refused."""

import json
import shutil

import pytest

from siamkpn_jax.checkpoints import checksums, weights
from siamkpn_jax.core.errors import UserError
from tests.training.test_checkpoints import restore, some_state
from tests.training.test_intact import saved, saved_model  # noqa: F401
from tests.training.tiny import tiny_config

DEEP = '{"a": ' * 300 + '1' + '}' * 300
TEXTS = ['', 'null', '[]', '{}', '{"custom_metadata": null}', '[' * 100_000,
         '{"custom_metadata": {"config": [1]}}', '\xff\xfe',
         f'{{"custom_metadata": {{"config": {DEEP}}}}}']
PARTS = ('model', 'targets', 'tracking')
SETTINGS = [
    ('model', 'arch', 'resnet99'), ('model', 'arch', None),
    ('model', 'arch', ['resnet10']), ('model', 'arch', {}),
    ('model', 'width', 'x'), ('model', 'width', -1), ('model', 'width', True),
    ('model', 'width', 1.5), ('model', 'width', float('inf')),
    ('model', 'levels', 'layer2'), ('model', 'levels', [[]]),
    ('model', 'more', 'x' * 10_000), ('model', 'dtype', 'float8'),
    ('tracking', 'size_lr', 1e30), ('tracking', 'size_lr', -1),
    ('tracking', 'penalty_k', float('nan')),
    ('tracking', 'penalty_k', float('inf')),
    ('tracking', 'window_influence', '0.4'),
    ('tracking', 'topk_max', 10**12), ('tracking', 'topk_min', None),
    ('targets', 'sigma', float('nan')), ('targets', 'sigma', {}),
    ('train', 'epochs', 'x')]


@pytest.fixture
def path(saved_model, tmp_path):  # noqa: F811
  shutil.copytree(saved_model, tmp_path / 'model')
  path = tmp_path / 'model' / 'checkpoints' / '0'
  (path / checksums.NAME).unlink()  # as if it had been written so
  return path


def change(path, edit):
  file = path / '_CHECKPOINT_METADATA'
  content = json.loads(file.read_text())
  edit(content['custom_metadata'])
  file.write_text(json.dumps(content))


def refused(path):
  with pytest.raises(UserError) as caught:
    weights.load_model(path)
  message = str(caught.value)
  assert message.startswith(f'{path}: ')
  assert '\n' not in message and len(message) < 600
  return message


@pytest.mark.parametrize('text', TEXTS, ids=range(len(TEXTS)))
def test_no_metadata(path, text):
  (path / '_CHECKPOINT_METADATA').write_bytes(text.encode('latin-1'))
  assert 'holds no configuration' in refused(path)
  for read in (weights.read_config, weights.read_origin):
    with pytest.raises(weights.DamagedError, match='holds no configuration'):
      read(path)


@pytest.mark.parametrize('edit', [
    *(lambda metadata, value=value: metadata.update(config=value)
      for value in (None, 'x', [], {})),
    *(lambda metadata, part=part: metadata['config'].pop(part)
      for part in PARTS),
    *(lambda metadata, part=part, value=value: metadata['config'].update(
        {part: value}) for part in PARTS for value in (None, 3, [], {}, 'x')),
    *(lambda metadata, value=value: metadata.update(part=value)
      for value in (3, None, {}, [], 'head'))])
def test_no_configuration(path, edit):
  change(path, edit)
  assert 'holds no configuration' in refused(path)


@pytest.mark.parametrize(('section', 'name', 'value'), SETTINGS)
def test_settings(path, section, name, value):
  change(path, lambda metadata: metadata['config'][section].update(
      {name: value}))
  assert f'config.{section}' in refused(path)


@pytest.mark.parametrize('value', [{}, {'a': 1}, 3, None, []])
def test_what_is_no_section(path, value):
  change(path, lambda metadata: metadata['config'].update(name=value))
  assert 'config.name is' in refused(path)


@pytest.mark.parametrize('text', TEXTS[:6], ids=range(6))
def test_resuming_takes_it_for_damage(saved, tmp_path, text):  # noqa: F811
  run = shutil.copytree(saved, tmp_path / 'run')
  (run / 'checkpoints' / '7' / '_CHECKPOINT_METADATA').write_text(text)
  with pytest.raises(UserError, match='no checkpoint can be read'):
    restore(run, some_state(), tiny_config())
  assert [p.name for p in (run / 'checkpoints').iterdir()] == ['7.damaged']


@pytest.mark.parametrize('name', weights._OF_ORBAX)
@pytest.mark.parametrize('value', [None, 'x', [1], 1.5])
def test_what_orbax_adds(saved, tmp_path, name, value):  # noqa: F811
  run = shutil.copytree(saved, tmp_path / 'run')
  path = run / 'checkpoints' / '7' / '_CHECKPOINT_METADATA'
  path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
  with pytest.raises(UserError, match='no checkpoint can be read'):
    restore(run, some_state(), tiny_config())


def test_the_one_before_a_damaged_one(saved, tmp_path, capsys):  # noqa: F811
  run = shutil.copytree(saved, tmp_path / 'run')
  shutil.copytree(run / 'checkpoints' / '7', run / 'checkpoints' / '8')
  (run / 'checkpoints' / '8' / '_CHECKPOINT_METADATA').write_text('[]')
  assert int(restore(run, some_state(), tiny_config()).step) == 7
  assert '8: damaged (' in capsys.readouterr().err
