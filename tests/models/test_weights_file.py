"""The single-file form of a checkpoint: what it keeps, what it refuses."""

import dataclasses
import functools
import json
import shutil

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jax.sharding import NamedSharding, PartitionSpec
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from siamkpn_jax.checkpoints import packaged, weights, weights_file
from siamkpn_jax.checkpoints.weights_file import (
  LARGEST_ERROR,
  compact,
  fingerprint,
  load_weights_file,
  read_metadata,
  rounding_error,
  save_weights_file,
)
from siamkpn_jax.config.settings import Config, config_from_dict, to_plain
from siamkpn_jax.conversion import run as conversion
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.run.load import load_for_sequences
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking.load import load_tracker
from tests.conversion import small
from tests.conversion.small import read_state
from tests.tracking.test_tracker import SMALL, run, small_network, video

INFO = {'step': '7', 'git_revision': 'abc', 'command': 'make demo'}
KERNEL = 'params/backbone/conv1/conv/kernel'
VARIANCE = 'batch_stats/backbone/conv1/bn/var'


@functools.cache
def small_config():
  config = Config().updated(model=SMALL, tracking={'window_influence': 0.2})
  return config


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """A file of the small network, and the summary."""
  path = tmp_path_factory.mktemp('file') / 'new' / 'model.safetensors'
  summary = save_weights_file(path, small_config(), small_network()[1], INFO)
  return path, summary


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """The same network as a checkpoint of Orbax."""
  path = tmp_path_factory.mktemp('folder')
  weights.save_model(path, small_config(), small_network()[1])
  return path


def _flat(tree):
  return {name: np.asarray(leaf)
          for name, leaf in flatten_dict(tree, sep='/').items()}


# ---- round trip


def test_round_trip(written, tmp_path):
  """Configuration and origin stay; values are rounded once, and never again."""
  path, summary = written
  assert [p.name for p in path.parent.iterdir()] == ['model.safetensors']
  config, variables = load_weights_file(path)
  assert config == small_config()
  assert read_metadata(path) == INFO | {
      'format': 'siamkpn_jax', 'config': to_plain(config),
      'checksum': fingerprint(variables)}
  original, first = _flat(small_network()[1]), _flat(variables)
  assert set(first) == set(original)
  for name, array in original.items():
    assert first[name].dtype == np.float32
    assert first[name].shape == array.shape
    assert rounding_error(array, first[name]) <= summary.rounding_error
  assert 1e-4 < summary.rounding_error <= LARGEST_ERROR
  again = save_weights_file(tmp_path / 'a.safetensors', config, variables, INFO)
  assert again.rounding_error == 0 and again.halved == summary.halved
  _, second = load_weights_file(tmp_path / 'a.safetensors')
  small.assert_same(_flat(second), first)


def test_summary_is_true(written):
  path, summary = written
  assert summary.size == path.stat().st_size
  original = _flat(small_network()[1])
  sizes = {part: sum(a.size for n, a in original.items() if n.startswith(part))
           for part in ('params', 'batch_stats')}
  assert (summary.parameters, summary.statistics) == tuple(sizes.values())
  stored = load_file(path)
  assert summary.arrays == len(stored) == len(original)
  kinds = [array.dtype for array in stored.values()]
  assert summary.halved == kinds.count(np.float16) > 0.9 * len(kinds)
  assert summary.size < 0.6 * 4 * sum(sizes.values()) + 30_000  # the header


def test_large_variances_stay_exact(tmp_path):
  """float16 ends at 65 504; what surrounds them is halved all the same."""
  variables = jax.tree.map(np.array, small_network()[1])
  variances = variables['batch_stats']['backbone']['conv1']['bn']['var']
  variances[:2] = 1e5, 1e-7
  path = tmp_path / 'a.safetensors'
  save_weights_file(path, small_config(), variables, {})
  with safe_open(path, 'numpy') as file:
    assert file.get_slice(VARIANCE).get_dtype() == 'F32'
    assert file.get_slice(KERNEL).get_dtype() == 'F16'
  found = _flat(load_weights_file(path)[1])[VARIANCE]
  np.testing.assert_array_equal(found, variances)


@pytest.mark.parametrize(('values', 'halved'), [
    ([1.0, 0.0, -3.5], True),
    ([1.0, 1e-3], True),
    ([65504.0], True), ([-65519.0], True), ([65520.0], False),
    ([1.0, 500.5 * 2.0**-24], False),  # a subnormal that loses
    ([1.0, 2.0**-20], True),  # one that does not
    ([1e-9], False),
    ([[1.0], [1e-9]], True),  # inputs of one channel
    ([[1.0, 1e-9]], False)])  # two channels
def test_what_becomes_float16(values, halved):
  array = np.float32(values)
  stored = compact(array)
  assert stored.dtype == (np.float16 if halved else np.float32)
  if not halved:
    np.testing.assert_array_equal(stored, array)


FINITE = st.floats(-2.0**126, 2.0**126, width=32)
SMALL_VALUES = st.floats(-4, 4, width=32)


@settings(max_examples=300, deadline=None)
@given(arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=1, max_dims=4, max_side=4),
    elements=st.one_of(FINITE, SMALL_VALUES)))
def test_error_of_any_array(array):
  """As bounded, by a loop over channels; and a second time exact."""
  stored = compact(array)
  loaded = stored.astype(np.float32)
  worst = 0.0
  for channel in range(array.shape[-1]):
    exact = array[..., channel].astype(np.float64)
    error = np.abs(loaded[..., channel] - exact).max()
    worst = max(worst, error / (np.abs(exact).max() or 1))
  assert worst <= 2.0**-11
  assert rounding_error(array, loaded) == pytest.approx(worst, rel=1e-6)
  np.testing.assert_array_equal(compact(loaded).astype(np.float32), loaded)


@pytest.mark.filterwarnings('default')  # of Orbax
def test_boxes(written, folder):
  """Those of the checkpoint, within a pixel."""
  frames, box = video()
  wanted = run(load_tracker(folder, engine='jax'), frames, box)
  assert np.abs(np.diff(wanted, axis=0)).max() > 1  # it moves
  tracker = load_tracker(written[0], engine='jax')
  assert tracker._batch._config.window_influence == 0.2
  np.testing.assert_allclose(run(tracker, frames, box), wanted, atol=1)
  _, details = load_for_sequences(str(written[0]), [6])
  assert details['weights'] == read_metadata(written[0])['checksum']


# ---- what takes a checkpoint takes a file


def test_load_model_and_origin(written):
  path, _ = written
  config, variables = weights.load_model(path)
  expected, arrays_ = load_weights_file(path)
  assert config == expected == config_from_dict(weights.read_config(path))
  small.assert_same(_flat(variables), _flat(arrays_))
  assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(variables))
  assert weights.read_origin(path) == INFO
  assert weights.find_checkpoints(path, 3) == [path.absolute()]


def test_packaged_model(written, tmp_path, monkeypatch):
  """By its name, and without one."""
  monkeypatch.setattr(packaged, 'FOLDER', tmp_path)
  with pytest.raises(UserError, match='default weights missing'):
    load_tracker()
  with pytest.raises(UserError, match='default weights missing'):
    load_for_sequences(None, [6])
  shutil.copy(written[0], tmp_path / 'kpn3s_nano.safetensors')
  frames, box = video()
  wanted = run(load_tracker(written[0], engine='jax'), frames[:3], box)
  for tracker in (load_tracker(engine='jax'),
                  load_tracker('kpn3s_nano', engine='jax')):
    np.testing.assert_array_equal(run(tracker, frames[:3], box), wanted)
  for name in (None, 'kpn3s_nano'):
    assert load_for_sequences(name, [6])[1]['weights'] == (
        read_metadata(written[0])['checksum'])


@pytest.mark.parametrize('part', ['network', 'backbone'])
def test_training_starts_from_it(written, part):
  """Placed on all devices; of the backbone, what the network needs."""
  model = build_model(small_config().model)
  if part == 'backbone':
    model = model.clone(levels=('layer2',), channels=3)
  mesh = jax.make_mesh((4,), ('all',))
  placement = NamedSharding(mesh, PartitionSpec())
  found = weights.load_variables(written[0], model, placement, part=part)
  assert all(leaf.sharding == placement for leaf in jax.tree.leaves(found))
  expected = _flat(load_weights_file(written[0])[1])
  if part == 'backbone':
    expected = {name: array for name, array in expected.items()
                if name.split('/')[1] == part
                and not name.split('/')[2].startswith('layer3')}
  small.assert_same(_flat(found), expected)


def test_another_network(written):
  model = build_model(dataclasses.replace(
      small_config().model, width=8, num_stages=1))
  device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  with pytest.raises(UserError, match=r'another architecture: .*width is 4 '
                     r'there, 8 here.*num_stages is 2 there, 1 here'):
    weights.load_variables(written[0], model, device)


def test_to_torch_and_back(tmp_path, capsys):
  """The released names, from a file; which is not taken for PyTorch's."""
  config = Config().updated(model=small.SETTINGS)
  variables, _ = conversion.to_variables(small.state(), small.table())
  path = tmp_path / 'a.safetensors'
  save_weights_file(path, config, variables, {})
  conversion.to_torch(path, tmp_path / 'b.npz', 'network')
  found = read_state(tmp_path / 'b.npz')
  for name in (entry.key for entry in small.table()):
    array = small.state()[name]
    np.testing.assert_allclose(found[name], array, rtol=2e-3, atol=1e-4)
  with pytest.raises(UserError, match='a file of .*export'):
    conversion.to_jax(path, tmp_path / 'out', 'network')


# ---- what is refused


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
  places = [*rng.integers(0, header, 60), *rng.integers(header, len(content),
                                                        20),
            content.index(b'0.54') + 3 if b'0.54' in content else 100,
            content.index(b'make demo') + 2]
  for place in places:
    changed = bytearray(content)
    changed[place] ^= 1 << rng.integers(8)
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
  assert load_weights_file(path)[0] == small_config()


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
    save_weights_file(path, small_config(), variables, {})
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
    save_weights_file(path, small_config(), small_network()[1], {})
  monkeypatch.undo()
  assert path.read_bytes() == before
  assert [p.name for p in tmp_path.iterdir()] == ['a.safetensors']


def test_stored_without_its_folders(tmp_path):
  """Exported weights name none; rendered videos beside them mean nothing."""
  config = Config().updated(validation={'data': 'a', 'rendered': 4})
  stored = to_plain(config)
  stored['validation']['data'] = ''
  assert weights_file.stored_config(tmp_path, stored) == Config()
