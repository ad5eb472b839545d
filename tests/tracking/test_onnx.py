"""Our network and tracker in ONNX Runtime."""

import importlib.util
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from siamkpn_jax.config.files import load_config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import (
    SiamKPN,
    init_variables,
)
from siamkpn_jax.tracking.engines import choose_engine, wide
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.tracking.tracker import Tracker
from tests.optional import needs_onnx
from tests.tracking.small import CONFIG, small_network, video

needs_onnx()

from siamkpn_jax.tracking.onnx import network, serialized, tracker  # noqa: E402

MODELS = {
    'compact': SiamKPN(arch='resnet10', width=8, levels=('layer3',),
                       channels=8, num_stages=2),
    'bottlenecks, three levels, shared, bfloat16': SiamKPN(
        arch='resnet50', width=4, channels=8, num_stages=1,
        head_sharing='shared', dtype='bfloat16'),
    'mean of two levels': SiamKPN(
        arch='resnet18', width=4, levels=('layer2', 'layer3'), channels=8,
        num_stages=2, level_fusion='mean'),
    'depth-wise, separable': SiamKPN(
        arch='efficientnet_lite0', width=4, levels=('stage3', 'stage5'),
        channels=8, num_stages=2, head_sharing='shared',
        head_conv='separable')}


def variables_of(model):
  """Random ones; statistics, scales and biases too, so that none is 0 or 1."""
  rng = np.random.default_rng(0)
  fresh = init_variables(model, 0)
  return jax.tree.map(
      lambda v: np.asarray(v) * rng.uniform(0.9, 1.1, v.shape).astype('f')
      + (rng.uniform(0, 0.02, v.shape).astype('f') if v.ndim == 1 else 0),
      fresh)


def run(model, *arrays):
  session = tracker.open_session(model.SerializeToString(), threads=1)
  names = [i.name for i in session.get_inputs()]
  outputs = [o.name for o in session.get_outputs()]
  return dict(zip(outputs, session.run(
      outputs, dict(zip(names, arrays, strict=True))), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize('name', MODELS)
def test_network_equals_jax(name):
  model, rng = MODELS[name], np.random.default_rng(1)
  variables = variables_of(model)
  exact = model.clone(dtype='float32')
  z, x = (rng.integers(0, 256, (1, s, s, 3)).astype('f') for s in (127, 255))
  template = jax.jit(lambda: exact.apply(
      variables, z, train=False, method=SiamKPN.template))()
  wanted = jax.jit(lambda: exact.apply(
      variables, template, x, train=False, method=SiamKPN.search)[-1])()
  first = lambda array: np.ascontiguousarray(array.transpose(0, 3, 1, 2))
  exported = network.export(model, variables)
  kernels = list(run(exported.template, first(z)).values())
  wanted_kernels = [first(np.asarray(k)) for k in jax.tree.leaves(template)]
  for got, want in zip(kernels, wanted_kernels, strict=True):
    np.testing.assert_allclose(got, want, rtol=0,
                               atol=1e-4 * np.abs(want).max())
  got = run(network.with_template(exported.search, kernels), first(x))
  assert set(got) == {'heatmap', 'offsets', 'size'}
  for task, value in got.items():
    want = np.asarray(getattr(wanted, task)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(
        value, want, rtol=0, atol=1e-4 * np.abs(want).max(), err_msg=task)


def test_a_crop_is_given_in_the_same_memory():
  """Channels first, as floats; new memory would not be in the caches."""
  given = []
  session = SimpleNamespace(
      get_inputs=lambda: [SimpleNamespace(name='x', shape=[1, 3, 5, 7])],
      get_outputs=lambda: [SimpleNamespace(name='y')],
      run=lambda names, inputs: given.append((names, inputs['x'])))
  look = tracker.OneCrop(session)
  for seed in range(2):
    crop = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    look(crop)
    names, pixels = given.pop()
    assert names == look.outputs == ['y'] and pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels[0], crop.transpose(2, 0, 1))
    assert pixels is look._pixels


@pytest.mark.parametrize('seed', range(3))
def test_tracker_gives_the_same_boxes(seed):
  """On rendered videos, by a network whose maps look like a trained one's."""
  model, variables = small_network()
  frames, box = video(seed, (160 - 8 * seed, 120))
  ours = Tracker(model, variables, CONFIG)
  other = tracker.OnnxTracker(
      serialized.serialize(model, variables), CONFIG, threads=1)
  ours.init(frames[0], box)
  other.init(frames[0], box)
  for frame in frames[1:]:
    found, want = ours.update(frame)
    also, got = other.update(frame)
    assert also == found
    np.testing.assert_allclose(got, want, rtol=0, atol=0.05)
  assert np.abs(want - box).max() > 1  # something that could go wrong


def test_engines(monkeypatch):
  """What 'auto' takes, and what is refused."""
  assert isinstance(load_tracker(), tracker.OnnxTracker)
  assert isinstance(load_tracker(engine='jax'), Tracker)
  assert choose_engine('auto', every_stage=True) == 'jax'
  with pytest.raises(UserError, match="engine 'tpu'; expected one of auto, "):
    load_tracker(engine='tpu')
  with pytest.raises(UserError, match="^engine='onnxruntime': has the last sta"
                     "ge alone; expected engine='jax', or every_stage=False$"):
    load_tracker(engine='onnxruntime', every_stage=True)
  with pytest.raises(UserError, match='^--engine onnxruntime: .* expected '
                     '--engine jax, or no --heatmaps$'):
    choose_engine('onnxruntime', every_stage=True, flags=True)
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  assert choose_engine('auto') == 'jax'
  assert choose_engine('onnxruntime') == 'onnxruntime'
  monkeypatch.undo()
  monkeypatch.setattr(importlib.util, 'find_spec',
                      lambda name: None if name == 'onnx' else True)
  assert choose_engine('auto') == 'jax'
  with pytest.raises(UserError, match=r"onnx missing; .*siamkpn_jax\[export"):
    load_tracker(engine='onnxruntime')


def test_auto_takes_the_faster_one():
  """ONNX Runtime for a compact network, JAX for the paper's in float32."""
  assert not wide(load_config('kpn3s_nano').model)
  assert not wide(load_config('demo').model)
  assert wide(load_config('kpn3s').model)
  assert wide(load_config('kpn3s', ['model.dtype=bfloat16']).model)


def test_the_interface_of_a_tracker():
  """What is there before, and after the first update."""
  frames, box = video(0, (160, 120))
  for one in (load_tracker(engine='jax'), load_tracker(engine='onnxruntime')):
    with pytest.raises(RuntimeError, match='call init first'):
      one.update(frames[0])
    with pytest.raises(RuntimeError, match='call init first'):
      one.search_window()
    assert one.heatmaps.shape == (0, 25, 25)
    one.init(frames[0], box)
    with pytest.raises(UserError, match='outside'):
      one.init(frames[0], [1000, 0, 20, 20])
    center, scale = one.search_window()
    for bad in (None, frames[1][:0], frames[1].astype(np.uint16)):
      with pytest.raises(ValueError, match='frame'):
        one.init(bad, box)
      with pytest.raises(ValueError, match='frame'):
        one.update(bad)
    np.testing.assert_array_equal(one.search_window()[0], center)
    one.update(frames[1])
    assert one.heatmaps.shape == (1, 25, 25)
    assert 0 < one.heatmaps.max() < 1
    assert one.search_crop.shape == (207, 207, 3)
    np.testing.assert_allclose(center, box[:2] + (box[2:] - 1) / 2)
    assert scale > 0


def test_a_network_that_cannot_be_exported(monkeypatch):
  """Runs in JAX, unless ONNX Runtime was asked for."""
  def export(model, variables, search_size):
    raise NotImplementedError('fft: no translation')
  monkeypatch.setattr(network, 'export', export)
  assert isinstance(load_tracker(), Tracker)
  with pytest.raises(UserError, match=r"fft: no translation; or .*'jax'"):
    load_tracker(engine='onnxruntime')


def test_idle_threads_sleep_soon():
  """They leave their core to whatever else runs."""
  session = load_tracker(engine='onnxruntime')._template
  assert session.get_session_options().get_session_config_entry(
      'session.intra_op.spin_duration_us') == '100'
