"""The network in int8, in ONNX Runtime."""

import functools
import importlib.util
import json

import numpy as np
import pytest

from siamkpn_jax.checkpoints import weights_file
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.core.boxes import iou_xywh
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import read_image
from siamkpn_jax.datasets import synthetic
from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.evaluation.formats.sequences import load_otb
from siamkpn_jax.evaluation.metrics import ope
from siamkpn_jax.evaluation.metrics.protocols import OTB
from siamkpn_jax.evaluation.run import load as run_load
from siamkpn_jax.models.siamkpn import build_model, init_variables
from siamkpn_jax.tracking import engines
from siamkpn_jax.tracking.load import (
    decode_config,
    load_batch_tracker,
    load_tracker,
)
from tests import commands
from tests.optional import import_or_skip
from tests.tracking.test_startup import cache, run  # noqa: F401
from tests.training.tiny import tiny_config

for name in ('onnx', 'onnxruntime'):
  import_or_skip(name, 'siamkpn_jax/tracking/onnx needs it')

import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402

from siamkpn_jax.tracking.onnx import quantize, serialized, tracker  # noqa: E402

FRAMES = 20


@functools.cache
def networks():
  """Those of the packaged model, in float32 and in int8; how boxes are chosen.
  """
  config, variables = load_model(find_weights(None))
  plain = serialized.serialize(build_model(config.model), variables,
                               config.tracking.search_size)
  return plain, quantize.quantize(plain), decode_config(config)


def boxes(tracker, scene):
  tracker.init(*scene.render(0))
  return np.array([tracker.update(scene.render(t)[0])[1]
                   for t in range(1, FRAMES + 1)])


@pytest.mark.parametrize('index', [0, 1])
def test_boxes_are_near_those_in_float32(index):
  """With the kernels of another target each: none is part of the network."""
  plain, int8, config = networks()
  scene = Scene(3, index, size=(240, 180))
  want = boxes(tracker.OnnxTracker(plain, config), scene)
  got = boxes(tracker.OnnxTracker(int8, config), scene)
  assert iou_xywh(got, want).mean() > 0.9
  assert np.abs(got - want).max() > 0.01  # it is another network


def test_it_is_the_same_each_time(monkeypatch):
  """Few examples here; the ends and the kernels stay in float32.

  Sums of two products fit 16 bits, in which ONNX Runtime adds them on
  processors without VNNI.
  """
  monkeypatch.setattr(quantize, '_SCENES', 1)
  plain = networks()[0]
  first, second = (quantize.quantize(plain) for _ in range(2))
  assert first == second and first.template == plain.template
  graph = onnx.load_model_from_string(first.search).graph
  assert [i.name for i in graph.input] == ['search']
  kernels = [i.name for i in graph.initializer
             if i.data_location == onnx.TensorProto.EXTERNAL]
  assert kernels == [f'kernel{k}' for k in range(6)]
  constants = {i.name: i for i in graph.initializer}
  made_by = {name: node for node in graph.node for name in node.output}
  whole, depths = set(), {True: 0, False: 0}
  for node in graph.node:
    if node.op_type == 'Conv':
      source = made_by.get(node.input[1])
      if source is not None and source.op_type == 'DequantizeLinear':
        whole.add(node.name)
        weights = numpy_helper.to_array(constants[source.input[0]])
        assert weights.dtype == np.int8
        alone = weights.shape[1] == 1
        depths[alone] = max(depths[alone], np.abs(weights.astype(int)).max())
  # Not the first three; the backbone, and the first ones of both levels.
  assert len(whole) == 32 and whole.isdisjoint(('Conv0', 'Conv2', 'Conv4'))
  assert depths == {True: 127, False: 64}


def test_a_kernel_keeps_its_sum():
  """So that what cancels out in it still does."""
  weights = np.random.default_rng(0).normal(size=(50, 1, 3, 3))
  weights -= weights.mean((1, 2, 3), keepdims=True)
  weights[0] = 0
  got = quantize.keep_sum(weights)
  steps = np.abs(weights).max((1, 2, 3)) / 127
  assert (np.abs(got.sum((1, 2, 3))) <= 1e-12 + steps / 2).all()
  whole = got[1:] / steps[1:, None, None, None]
  np.testing.assert_allclose(whole, np.rint(whole), atol=1e-9)
  assert np.abs(whole).max() < 127.5
  assert (np.abs(got - weights).max((1, 2, 3)) <= steps).all()
  plain = np.rint(weights[1:] / steps[1:, None, None, None]).sum((1, 2, 3))
  assert np.abs(plain).max() > 1  # rounded one by one
  assert not got[0].any()


@pytest.fixture
def quantized(monkeypatch, cache):  # noqa: F811
  """Notes each quantization, which is done once for all tests."""
  int8, calls = networks()[1], []
  monkeypatch.setattr(quantize, 'quantize',
                      lambda network: calls.append('int8') or int8)
  return calls


def test_a_second_run_quantizes_nothing(quantized):
  """It needs no JAX; float32 is kept beside."""
  scene = Scene(3, 0, size=(240, 180))
  want = boxes(load_tracker(precision='int8'), scene)
  assert quantized == ['int8']
  np.testing.assert_array_equal(
      boxes(load_tracker(precision='int8'), scene), want)
  many = load_batch_tracker(slots=2, precision='int8')
  target = many.add(*scene.render(0))
  np.testing.assert_allclose(
      many.update(scene.render(1)[0])[target].box_xywh, want[0], atol=0.01)
  assert quantized == ['int8']
  plain = boxes(load_tracker(engine='onnxruntime'), scene)
  assert np.abs(plain - want).max() > 0.01 and quantized == ['int8']
  code = '''
import sys
sys.modules.update(dict.fromkeys(('flax', 'jax', 'orbax')))
import siamkpn_jax
from siamkpn_jax.datasets.synthetic import Scene
tracker = siamkpn_jax.load_tracker(precision='int8')
scene = Scene(3, 0, size=(240, 180))
tracker.init(*scene.render(0))
print(*tracker.update(scene.render(1)[0])[1].tolist())
print('onnx' not in sys.modules)
'''
  first, light = run(code).splitlines()
  np.testing.assert_allclose([float(x) for x in first.split()], want[0],
                             atol=0.01)
  assert light == 'True'


def test_states_are_of_one_precision(quantized):
  """In int8 it is another network, which would go on with other boxes."""
  scene = Scene(3, 0, size=(240, 180))
  plain, int8 = (load_tracker(engine='onnxruntime', precision=precision)
                 for precision in ('float32', 'int8'))
  for one in (plain, int8):
    one.init(*scene.render(0))
  for own, other, name in ((plain, int8, 'int8'), (int8, plain, 'float32')):
    before = own.state()
    with pytest.raises(UserError, match=f"precision='{name}'"):
      own.restore(other.state())
    np.testing.assert_array_equal(own.state()['center'], before['center'])
  load_tracker(precision='int8').restore(int8.state())
  batch = load_batch_tracker(precision='int8')
  batch.add_state(int8.state())
  with pytest.raises(UserError, match='precision='):
    batch.add_state(plain.state())


def test_what_is_refused(tmp_path, monkeypatch):
  """It is never left out without a word."""
  for load in (load_tracker, load_batch_tracker):
    with pytest.raises(UserError, match="'int4'; expected one of float32, int"):
      load(precision='int4')
    with pytest.raises(UserError, match="^precision='int8': engine='jax' has "
                       "float32 alone; expected engine='onnxruntime'$"):
      load(precision='int8', engine='jax')
    with pytest.raises(UserError, match="^precision='int8': has the last .*"
                       "expected precision='float32', or every_stage=False$"):
      load(precision='int8', every_stage=True)
  with pytest.raises(UserError, match="engine='jax' has float32 alone"):
    run_load.load_for_sequences(None, [2], engine='jax', precision='int8')
  config = tiny_config()
  path = tmp_path / 'model.safetensors'
  weights_file.save_weights_file(
      path, config, init_variables(build_model(config.model), 0), {})
  with pytest.raises(UserError, match=f'are of a {config.model.arch}; expect'):
    load_tracker(path, precision='int8')
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  for fault in (lambda: load_tracker(precision='int8'), lambda:
                run_load.load_for_sequences(None, [2], precision='int8')):
    with pytest.raises(UserError, match=r"^precision='int8': onnx and onnxrunt"
                       r"ime missing; .*siamkpn_jax\[export"):
      fault()


def test_results_of_an_evaluation_are_told_apart(quantized):
  _, details = run_load.load_for_sequences(None, [2], precision='int8')
  _, plain = run_load.load_for_sequences(None, [2], engine='onnxruntime')
  assert details == plain | {'precision': 'int8'} and 'precision' not in plain
  assert quantized == ['int8']


def test_commands(quantized, command, tmp_path):
  """The flag of track and eval: its mistakes, its news, what it leaves."""
  data, output = tmp_path / 'data', tmp_path / 'new'
  (name,) = synthetic.write_otb(data, seed=0, count=1, length=3)
  video = ['track', data / name / 'img', '--precision=int8']
  for box in ([], ['--box=50,50,40,40']):  # before a window opens
    commands.assert_one_line(
        command(*video, *box, '--engine=jax'), '--precision int8: --engine jax '
        'has float32 alone; expected --engine onnxruntime')
    commands.assert_one_line(
        command(*video, *box, '--heatmaps'),
        'expected --precision float32, or no --heatmaps')
  evaluate = ['evaluate', f'--data={data}', f'--output={output}']
  commands.assert_one_line(
      command(*evaluate, '--precision=int8', '--engine=jax'),
      'expected --engine onnxruntime')
  assert not output.exists() and not quantized
  done = command(*video, '--box=50,50,40,40', f'--boxes={tmp_path / "b.csv"}')
  assert done.returncode == 0 and quantized == ['int8']
  done = command(*evaluate, '--precision=int8', '--quiet=true')
  assert done.returncode == 0, done.stderr
  settings = json.loads((output / 'settings.json').read_text())
  assert settings['precision'] == 'int8'
  assert settings['engine'] == 'onnxruntime'  # which it implies
  commands.assert_one_line(command(
      *evaluate, '--engine=onnxruntime', '--quiet=true'), 'precision')


def test_slow_processors_are_named(tmp_path, monkeypatch):
  """Where Linux says what the processor has."""
  assert engines.has_vnni(tmp_path / 'none') is None  # another system
  for k, (flags, want) in enumerate((
      ('flags\t\t: fpu avx2\nflags\t\t: fpu avx2\n', False),
      ('flags : avx2 avx512_vnni amx\n', True),
      ('flags : avx2 avx_vnni\n', True),
      ('Features : asimd asimddp\n', None))):
    (tmp_path / f'{k}').write_text(f'processor : 0\n{flags}')
    assert engines.has_vnni(tmp_path / f'{k}') is want
  for known, note in ((True, False), (False, True), (None, False)):
    monkeypatch.setattr(engines, 'has_vnni', lambda known=known: known)
    assert bool(engines.precision_note('int8')) == note
    assert engines.precision_note('float32') is None


@pytest.mark.slow
@pytest.mark.parametrize('name', ['Couple', 'vot_bag'])
def test_the_score_holds(real_data, name):
  plain, int8, config = networks()
  data = real_data / 'sequences'
  (video,) = load_otb(data, names=[name], zero_based=['vot_*'])
  frames = [read_image(path) for path in video.frames[:200]]
  truth = video.boxes_xywh[:200]
  scores = []
  for network in (plain, int8):
    one = tracker.OnnxTracker(network, config)
    one.init(frames[0], truth[0])
    result = [truth[0], *(one.update(frame)[1] for frame in frames[1:])]
    scores.append(ope.score_sequence(
        np.array(result), truth, protocol=OTB).success_auc)
  assert scores[1] > scores[0] - 0.02
