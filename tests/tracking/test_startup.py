"""What a second run need not do again, and what is not imported for nothing."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from siamkpn_jax.checkpoints import weights, weights_file
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import save_model
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import build_model, init_variables
from siamkpn_jax.tracking import engines, load
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.tracking.tracker import Tracker
from tests.optional import import_or_skip
from tests.tracking.small import video
from tests.training.tiny import tiny_config

ROOT = Path(__file__).parents[2]
HEAVY = ('cv2', 'flax', 'jax', 'onnx', 'onnxruntime', 'orbax')


@pytest.fixture
def cache(tmp_path, monkeypatch):
  """The folder of what runs keep, empty."""
  monkeypatch.setenv('SIAMKPN_CACHE', str(tmp_path / 'cache'))
  return tmp_path / 'cache' / 'siamkpn_jax' / 'user_cache'


@pytest.fixture
def exports(monkeypatch):
  """Notes each export of a network."""
  for name in ('onnx', 'onnxruntime'):
    import_or_skip(name, 'siamkpn_jax/tracking/onnx needs it')
  from siamkpn_jax.tracking.onnx import kept
  calls, serialize = [], kept.serialize
  monkeypatch.setattr(kept, 'serialize', lambda *arguments: calls.append(
      'export') or serialize(*arguments))
  return calls


def boxes(tracker):
  frames, box_xywh = video(0, (160, 120))
  tracker.init(frames[0], box_xywh)
  return np.array([tracker.update(frame)[1] for frame in frames[1:4]])


def run(code, **variables):
  return subprocess.run(
      [sys.executable, '-c', code], cwd=ROOT, check=True, text=True,
      capture_output=True, env=os.environ | variables).stdout


def test_a_second_run_needs_no_jax(cache, exports):
  """Nor what else it takes to export a network."""
  want = boxes(load_tracker(engine='onnxruntime'))
  assert exports == ['export']
  code = '''
import sys
sys.modules.update(dict.fromkeys(('flax', 'jax', 'orbax')))
import numpy as np, siamkpn_jax
from siamkpn_jax.datasets.synthetic import Scene
tracker = siamkpn_jax.load_tracker(engine='onnxruntime')
scene = Scene(seed=0, index=0, size=(160, 120))
tracker.init(*scene.render(0))
found, box_xywh = tracker.update(scene.render(1)[0])
many = siamkpn_jax.load_batch_tracker(slots=2, engine='onnxruntime')
target = many.add(*scene.render(0))
same = many.update(scene.render(1)[0])[target].box_xywh == box_xywh
print(found and same.all() and 'onnx' not in sys.modules)
'''
  assert run(code).strip() == 'True'
  np.testing.assert_array_equal(
      boxes(load_tracker(engine='onnxruntime')), want)
  assert exports == ['export']


def test_what_is_kept_knows_its_settings(cache, exports):
  """Those of the weights, and others that are given beside them."""
  loaded = [load_tracker(engine='onnxruntime', **given)
            for given in ({}, {}, {'penalty_k': 0.5})]
  assert exports == ['export']
  first, kept, other = (tracker._origin.config for tracker in loaded)
  assert first == kept != other and other.penalty_k == 0.5
  with pytest.raises(UserError, match='penalty_k'):
    load_tracker(engine='onnxruntime', penalty_k=-1)


def test_the_stored_size_is_no_other_one(cache, exports, tmp_path):
  """One copy is kept, whether it is named or not, and one of each other."""
  config, path = tiny_config(), tmp_path / 'model.safetensors'
  stored = config.tracking.search_size
  weights_file.save_weights_file(
      path, config, init_variables(build_model(config.model), 0), {})
  for first, again in ((stored, None), (127, 127), (None, stored)):
    for size in (first, again):
      given = {'search_size': size} if size else {}
      tracker = load_tracker(path, engine='onnxruntime', **given)
      assert tracker._origin.config.search_size == (size or stored)
  assert exports == ['export', 'export']
  assert len(list((cache / 'onnx').iterdir())) == 2


def test_damaged_or_switched_off(cache, exports, monkeypatch):
  """The network is exported again; what was damaged is replaced."""
  load_tracker(engine='onnxruntime')
  (kept,) = (cache / 'onnx').iterdir()
  whole = kept.read_bytes()
  kept.write_bytes(whole[:-100])
  want = boxes(load_tracker(engine='onnxruntime'))
  assert len(exports) == 2 and kept.read_bytes() == whole
  monkeypatch.setenv('SIAMKPN_CACHE', 'off')
  np.testing.assert_array_equal(
      boxes(load_tracker(engine='onnxruntime')), want)
  assert len(exports) == 3


def test_other_weights_are_exported(cache, exports, tmp_path):
  """Also where a file of the same name has changed."""
  config, path = tiny_config(), tmp_path / 'model.safetensors'
  for seed in (0, 1):
    weights_file.save_weights_file(
        path, config, init_variables(build_model(config.model), seed), {})
    load_tracker(path, engine='onnxruntime')
    load_tracker(path, engine='onnxruntime')
  assert len(exports) == 2
  path.unlink()
  with pytest.raises(UserError, match='no such checkpoint'):
    load_tracker(path, engine='onnxruntime')


def test_a_run_is_known_by_its_newest_checkpoint(cache, exports, tmp_path):
  """Whose weights are then not read, so Orbax is not imported."""
  config = tiny_config()
  variables = [init_variables(build_model(config.model), k) for k in range(2)]
  save_model(tmp_path, config, variables[0])
  want = boxes(load_tracker(tmp_path, engine='onnxruntime'))
  first = tmp_path / 'checkpoints' / '0'
  code = f'''
import sys
sys.modules.update(dict.fromkeys(('flax', 'jax', 'orbax')))
import siamkpn_jax
for path in {[str(tmp_path), str(first.parent), str(first)]}:
  siamkpn_jax.load_tracker(path, engine='onnxruntime')
'''
  run(code)
  save_model(tmp_path / 'other', config, variables[1])
  (tmp_path / 'other' / 'checkpoints' / '0').rename(first.parent / '12')
  newer = boxes(load_tracker(tmp_path, engine='onnxruntime'))
  assert len(exports) == 2 and np.abs(newer - want).max() > 0
  (first.parent / '13').mkdir()  # damaged: no other one is taken
  with pytest.raises(UserError, match='holds no configuration'):
    load_tracker(tmp_path, engine='onnxruntime')


def test_nothing_is_kept_as_another_checkpoint(
    cache, exports, tmp_path, monkeypatch):
  """Where Orbax refuses the newest, whose digest was taken."""
  config = tiny_config()
  for seed, step in ((0, '12'), (1, '0')):
    save_model(tmp_path / step, config, init_variables(
        build_model(config.model), seed))
  (tmp_path / '12' / 'checkpoints' / '0').rename(
      tmp_path / '0' / 'checkpoints' / '12')
  root = tmp_path / '0'
  with monkeypatch.context() as patch:
    patch.setattr(weights, 'find_checkpoint',
                  lambda path: root / 'checkpoints' / '0')
    older = boxes(load_tracker(root, engine='onnxruntime'))
  newer = boxes(load_tracker(root, engine='onnxruntime'))
  assert len(exports) == 2 and np.abs(newer - older).max() > 0


def test_auto_exports_nothing_that_is_faster_in_jax(
    cache, exports, monkeypatch):
  """And takes no export that is kept."""
  with monkeypatch.context() as patch:
    patch.setattr(load, 'wide', lambda model: True)
    assert isinstance(load_tracker(), Tracker) and not exports
    onnx = load_tracker(engine='onnxruntime')
    assert len(exports) == 1 and not isinstance(onnx, Tracker)
    assert isinstance(load_tracker(), Tracker)
  assert isinstance(load_tracker(), type(onnx)) and len(exports) == 1


def test_a_weights_file_is_read_without_tracing(cache, monkeypatch):
  """The second time; weights that do not fit are still refused."""
  path = find_weights(None)
  config, want = weights_file.load_weights_file(path)
  monkeypatch.setattr(weights_file, 'abstract_variables', None)
  again, got = weights_file.load_weights_file(path)
  assert again == config
  jax.tree.map(np.testing.assert_array_equal, got, want)
  other = config.updated(model={'channels': config.model.channels + 8})
  with pytest.raises(TypeError):  # another network is traced
    weights_file._shapes(other)
  shapes = weights_file._shapes(config)
  monkeypatch.setattr(weights_file, '_shapes', lambda config: dict(
      list(shapes.items())[:-1]))
  with pytest.raises(UserError, match='weights do not match'):
    weights_file.load_weights_file(path)


@pytest.mark.parametrize('code', [
    'import siamkpn_jax; siamkpn_jax.use_compilation_cache()',
    'from siamkpn_jax.cli import siamkpn; siamkpn.main(["track", "--help"])'])
def test_nothing_heavy_before_it_is_needed(code):
  printed = run(f'{code}; import sys; '
                f'print("imported", *(m for m in {HEAVY} if m in sys.modules))')
  assert printed.splitlines()[-1].split() == ['imported']


def test_auto_asks_jax_where_there_is_a_choice(monkeypatch):
  """And only there, unless JAX is imported already."""
  monkeypatch.delenv('JAX_PLATFORMS', raising=False)
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  assert not engines._only_a_cpu()
  monkeypatch.setattr(engines, 'sys', SimpleNamespace(modules={}))
  monkeypatch.setattr(engines, '_has_plugins', lambda: False)
  assert engines._only_a_cpu()
  monkeypatch.setenv('JAX_PLATFORMS', 'cuda,cpu')
  assert not engines._only_a_cpu()
  monkeypatch.setattr(engines, '_has_plugins', lambda: True)
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  assert engines._only_a_cpu()
  monkeypatch.delenv('JAX_PLATFORMS')
  assert not engines._only_a_cpu()
  monkeypatch.setattr(jax, 'default_backend', lambda: 'cpu')
  assert engines._only_a_cpu()


def test_plugins_are_found(tmp_path):
  """Those of JAX: installed as it looks for them, or named by variables."""
  code = ('from siamkpn_jax.tracking.engines import _has_plugins; '
          'print(_has_plugins())')
  path = os.pathsep.join((str(tmp_path), str(ROOT)))
  assert run(code, PYTHONPATH=path).strip() == 'False'
  assert run(code, PJRT_NAMES_AND_LIBRARY_PATHS='x:y').strip() == 'True'
  entry = tmp_path / 'some-1.0.dist-info'
  entry.mkdir()
  (entry / 'METADATA').write_text('Name: some\nVersion: 1.0\n')
  (entry / 'entry_points.txt').write_text('[jax_plugins]\nsome = some\n')
  assert run(code, PYTHONPATH=path).strip() == 'True'
  (entry / 'entry_points.txt').unlink()
  assert run(code, PYTHONPATH=path).strip() == 'False'
  (tmp_path / 'jax_plugins' / 'xla_cuda12').mkdir(parents=True)
  assert run(code, PYTHONPATH=path).strip() == 'True'
