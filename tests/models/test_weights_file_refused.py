"""Files of weights that are damaged, of others, or cannot be written."""

import json
import re
import shutil

import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from siamkpn_jax.checkpoints import weights, weights_file
from siamkpn_jax.checkpoints.weights_file import (
  load_weights_file,
  save_weights_file,
)
from siamkpn_jax.core.errors import UserError
from tests.models.small_file import CONFIG, KERNEL
from tests.tracking.small import small_network


def _changed(written, tmp_path, change_arrays=None, change_metadata=None):
  """A copy with other arrays or metadata, in {name: ...} form."""
  stored = load_file(written[0])
  with safe_open(written[0], 'numpy') as file:
    metadata = file.metadata()
  for change, value in ((change_arrays, stored), (change_metadata, metadata)):
    if change:
      change(value)
  path = tmp_path / 'changed.safetensors'
  save_file(stored, path, metadata)
  return path


def _refused(path, match):
  """In one line, by both ways of loading."""
  for load in (load_weights_file, weights.load_model):
    with pytest.raises(UserError, match=match) as error:
      load(path)
    assert str(error.value).startswith(f'{path}: ')
    assert '\n' not in str(error.value) and len(str(error.value)) < 500


def test_unchanged_copy_loads(written, tmp_path):
  load_weights_file(_changed(written, tmp_path))


@pytest.mark.parametrize('change', [
    *(lambda data, share=share: data[:int(np.ceil(len(data) * share))]
      for share in (1e-9, 0.01, 0.3, 0.999)),
    lambda data: data + b'more', lambda data: b'x',
    lambda data: b'\xff' * 4000,
    lambda data: b'\x02\0\0\0\0\0\0\0{}' + b'x' * 50,
    lambda data: b'PK\x03\x04' + b'\0' * 100])
def test_cut_longer_and_other_files(written, tmp_path, change):
  path = tmp_path / 'changed.safetensors'
  path.write_bytes(change(written[0].read_bytes()))
  _refused(path, 'cannot be read .*intact file')


def test_every_flipped_bit(written, tmp_path):
  """Of header and arrays, settings and origin included."""
  content = written[0].read_bytes()
  path = tmp_path / 'flipped.safetensors'
  header = 8 + int.from_bytes(content[:8], 'little')
  rng = np.random.default_rng(0)
  flips = [(place, rng.integers(8)) for place in (
      *rng.integers(0, header, 60), *rng.integers(header, len(content), 20),
      content.index(b'make demo') + 2)]
  digit = re.search(rb'window_influence\D+0\.(\d)', content).start(1)
  flips += [(digit, bit) for bit in range(8)]  # other digits, and no digits
  for place, bit in flips:
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    path.write_bytes(changed)
    with pytest.raises(UserError) as error:
      load_weights_file(path)
      pytest.fail(f'byte {place}: {content[place:place + 1]!r}')
    assert '\n' not in str(error.value) and len(str(error.value)) < 500


def test_a_flipped_bit_in_the_name_of_a_checksum(written, tmp_path):
  """Wherever the file has it: the order of the metadata is that of a hash."""
  content = written[0].read_bytes()
  place = content.index(b'metadata_checksum')
  for bit in range(5):
    changed = bytearray(content)
    changed[place + 12] ^= 1 << bit
    path = tmp_path / 'flipped.safetensors'
    path.write_bytes(changed)
    _refused(path, 'damaged|cannot be read|holds no')


def test_files_of_earlier_versions(written, tmp_path):
  """Their settings have no checksum."""
  path = _changed(written, tmp_path, None,
                  lambda metadata: metadata.pop('metadata_checksum'))
  assert load_weights_file(path)[0] == CONFIG


@pytest.mark.parametrize(('content', 'told'), [
    (b'version https://git-lfs.github.com/spec/v1\noid', 'git lfs pull'),
    (b'<!DOCTYPE html><html>', 'an HTML page'), (b'', 'an empty file')])
def test_what_it_is_instead(tmp_path, content, told):
  path = tmp_path / 'a.safetensors'
  path.write_bytes(content)
  _refused(path, f'cannot be read .*{told}')


def test_weights_of_another_program(tmp_path):
  path = tmp_path / 'torch.safetensors'
  for metadata in (None, {'format': 'pt'}):
    save_file({'conv.weight': np.zeros(3, np.float32)}, path, metadata)
    _refused(path, r'not a file of python -m siamkpn_jax\.export.*convert')


@pytest.mark.parametrize('text', [
    None, '', '{', '[]', '5', '{}', '{"model": {}}',
    '{"model": [], "targets": {}, "tracking": {}}'])
def test_no_configuration(written, tmp_path, text):
  def change(metadata):
    del metadata['config']
    if text is not None:
      metadata['config'] = text
  _refused(_changed(written, tmp_path, None, change), 'holds no configuration')


@pytest.mark.parametrize(('settings_', 'match'), [
    ({'arch': 'resnet99'}, "model.arch is 'resnet99'; expected one of"),
    ({'attention': True}, 'config.model: unknown attention=True'),
    ({'levels': 3}, 'model.levels is 3; expected a tuple'),
    ({'width': 8}, 'do not match the configuration in the file'),
    ({'num_stages': 3}, 'do not match the configuration in the file')])
def test_configuration_of_another_network(written, tmp_path, settings_, match):
  def change(metadata):
    config = json.loads(metadata['config'])
    config['model'] |= settings_
    metadata['config'] = json.dumps(config)
  _refused(_changed(written, tmp_path, None, change), match)


@pytest.mark.parametrize(('change', 'match'), [
    (lambda stored: stored.pop(KERNEL), rf'{KERNEL} has shape None; expected'),
    (lambda stored: stored.update({KERNEL: stored[KERNEL][:-1].copy()}),
     rf'{KERNEL} has shape \(6, 7, 3, 4\); expected \(7, 7, 3, 4\)'),
    (lambda stored: stored.update(more=np.zeros(2, np.float32)),
     r'more has shape \(2,\); expected None'),
    (lambda stored: stored.update({KERNEL: stored[KERNEL].astype(np.int32)}),
     f'{KERNEL} is I32; expected float16 or float32'),
    (lambda stored: stored.clear(), 'has shape None; expected')])
def test_other_arrays(written, tmp_path, change, match):
  _refused(_changed(written, tmp_path, change), match)


def test_no_file(tmp_path):
  with pytest.raises(UserError, match='no such checkpoint'):
    weights.load_model(tmp_path / 'missing.safetensors')
  with pytest.raises(UserError, match='cannot be read'):
    load_weights_file(tmp_path / 'missing.safetensors')
  (tmp_path / 'x.safetensors').mkdir()  # a run can be called so
  with pytest.raises(UserError, match='expected the folder of a training'):
    weights.load_model(tmp_path / 'x.safetensors')


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_weights_that_are_not_finite(tmp_path, value):
  variables = jax.tree.map(np.array, small_network()[1])
  variables['params']['backbone']['conv1']['conv']['kernel'].flat[3] = value
  path = tmp_path / 'a.safetensors'
  with pytest.raises(UserError, match=f'{KERNEL} has non-finite values'):
    save_weights_file(path, CONFIG, variables, {})
  assert not path.exists()


def test_a_save_that_fails_leaves_what_was_there(
    written, tmp_path, monkeypatch):
  path = tmp_path / 'a.safetensors'
  shutil.copy(written[0], path)
  before = path.read_bytes()

  def full(content):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(weights_file.Path, 'write_bytes',
                      lambda self, content: full(content))
  with pytest.raises(UserError, match='No space left'):
    save_weights_file(path, CONFIG, small_network()[1], {})
  monkeypatch.undo()
  assert path.read_bytes() == before
  assert [p.name for p in tmp_path.iterdir()] == ['a.safetensors']
