"""The single-file form of a checkpoint: what it keeps, what it refuses."""

import dataclasses
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
from safetensors.numpy import load_file

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
from tests.models.small_file import CONFIG, INFO, KERNEL
from tests.tracking.small import run, small_network, video

VARIANCE = 'batch_stats/backbone/conv1/bn/var'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """The same network as a checkpoint of Orbax."""
  path = tmp_path_factory.mktemp('folder')
  weights.save_model(path, CONFIG, small_network()[1])
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
  assert config == CONFIG
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
  save_weights_file(path, CONFIG, variables, {})
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
  model = build_model(CONFIG.model)
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
      CONFIG.model, width=8, num_stages=1))
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


def test_stored_without_its_folders(tmp_path):
  """Exported weights name none; rendered videos beside them mean nothing."""
  config = Config().updated(validation={'data': 'a', 'rendered': 4})
  stored = to_plain(config)
  stored['validation']['data'] = ''
  assert weights_file.stored_config(tmp_path, stored) == Config()
