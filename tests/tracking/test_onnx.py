"""Our network and tracker in ONNX Runtime."""

import dataclasses
import importlib.util
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.config.files import load_config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import (
    Predictions,
    SiamKPN,
    init_variables,
)
from siamkpn_jax.tracking import decode as jax_decode
from siamkpn_jax.tracking.engines import choose_engine, wide
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.tracking.tracker import Tracker
from tests.optional import import_or_skip
from tests.reference import tracking as reference
from tests.tracking.test_tracker import CONFIG, small_network, video

for name in ('onnx', 'onnxruntime'):
  import_or_skip(name, 'siamkpn_jax/tracking/onnx needs it')

from siamkpn_jax.tracking.onnx import decode as decode_module  # noqa: E402
from siamkpn_jax.tracking.onnx import network, serialized, tracker  # noqa: E402
from siamkpn_jax.tracking.onnx.decode import decode  # noqa: E402
from siamkpn_jax.tracking.onnx.translate import Input, convert  # noqa: E402

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


def one_output(count):
  assert count == 1
  return ['out']


def conv(x, kernel, **more):
  return jax.lax.conv_general_dilated(
      x, kernel, (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      **more)


# Constants: one per channel, one per column, a 3x3 kernel, a resizing matrix.
C = np.linspace(-2, 3, 4, dtype='f')
W = np.linspace(1, 2, 8, dtype='f')[:, None]
K = np.random.default_rng(2).normal(size=(3, 3, 4, 4)).astype('f')
M = np.random.default_rng(3).normal(size=(5, 8)).astype('f')

FUNCTIONS = {
    'affine after a convolution': lambda x: (C - conv(x, K)) / 3 * C - C + 2,
    'divided by': lambda x: C / (conv(x, K) ** 2 + 1),
    'not per channel, so not folded': lambda x: conv(
        jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), K) * W,
    'used twice': lambda x: sum(f(conv(x, K)) for f in (
        jnp.tanh, lambda y: y * C + jnp.maximum(y, 0) * y)),
    'padding with ones is no padding with zeros': lambda x: conv(
        jnp.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0)), constant_values=1), K),
    'gate': lambda x: x * jax.nn.sigmoid(x.mean(axis=(1, 2), keepdims=True)),
    'rsqrt, select, steps': lambda x: jnp.where(
        True, jax.lax.rsqrt(jnp.abs(x) + 1), x)[:, ::2, 1:5:3],
    'other order of axes': lambda x: jnp.swapaxes(conv(x, K), 1, 2) + C,
    'two orders of axes': lambda x: (
        conv(x, K) + jnp.swapaxes(x[:, 2:, 2:], 1, 2)),
    'two that grow': lambda x: (
        x.max(axis=1, keepdims=True) - x.max(axis=2, keepdims=True)),
    'resized by a product': lambda x: jnp.tensordot(
        M, x, ((1,), (1,))).transpose(1, 0, 2, 3),
    'resized along columns, by a matrix whose rows meet': lambda x: (
        jnp.einsum('no,bhnc->bhoc', M.T, conv(jnp.pad(
            x, ((0, 0), (1, 1), (1, 1), (0, 0))), K)) + C),
    'ReLU6': lambda x: jnp.minimum(jnp.maximum(conv(x, K), 0), 6),
    'joined': lambda x: jnp.concatenate([conv(x, K), x[:, 2:, 2:] + W[2:]], -1),
    'reshaped': lambda x: conv(x, K).reshape(1, 4, 9, 4),
}


@pytest.mark.parametrize('name', FUNCTIONS)
def test_operations_equal_jax(name):
  x = np.random.default_rng(4).normal(size=(1, 8, 8, 4)).astype('f')
  function = FUNCTIONS[name]
  model, _ = convert(function, {'x': Input(x.shape, (0, 3, 1, 2))}, one_output)
  got = run(model, np.ascontiguousarray(x.transpose(0, 3, 1, 2)))['out']
  want = np.asarray(function(x)).transpose(0, 3, 1, 2)
  np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_relu6_is_one_operation():
  model, _ = convert(FUNCTIONS['ReLU6'],
                     {'x': Input((1, 8, 8, 4), (0, 3, 1, 2))}, one_output)
  assert [n.op_type for n in model.graph.node] == ['Conv', 'Clip', 'Identity']


def test_resizing_moves_no_axis():
  def resize(x):
    rows = jnp.einsum('oh,bhwc->bowc', M, x)
    return jnp.einsum('ow,bhwc->bhoc', M, rows)
  model, _ = convert(resize, {'x': Input((1, 8, 8, 4), (0, 3, 1, 2))},
                     one_output)
  assert [n.op_type for n in model.graph.node] == [
      'MatMul', 'MatMul', 'Identity']


@pytest.mark.parametrize(('function', 'name'), [
    (lambda x: jnp.cumsum(x, 1), 'cumsum'),
    (lambda x: x.astype(int) * 1.5, 'convert_element_type')])
def test_unknown_operation(function, name):
  with pytest.raises(NotImplementedError, match=name):
    convert(function, {'x': Input((1, 8, 8, 4), (0, 1, 2, 3))}, one_output)


@pytest.mark.parametrize('seed', range(20))
def test_decode_equals_the_reference(seed):
  rng = np.random.default_rng(seed)
  heatmap = rng.normal(-2, 2, (31, 31)).astype('f')
  offsets = rng.normal(0, 0.2, (31, 31, 2)).astype('f')
  sizes = rng.normal(60, 30, (31, 31, 2)).astype('f')
  last, scale = rng.uniform(20, 90, 2).astype('f'), np.float32(1.3)
  want = reference.decode(heatmap, offsets, sizes, last, scale, {
      **reference.SETTINGS, **dataclasses.asdict(CONFIG)})
  shift, size, score = decode(
      heatmap.reshape(-1), offsets.reshape(-1, 2).T, sizes.reshape(-1, 2).T,
      last, float(scale), CONFIG)
  np.testing.assert_allclose(shift, want['shift'], atol=1e-3)
  np.testing.assert_allclose(size, want['size'], rtol=1e-4)
  assert score == pytest.approx(want['score'], rel=1e-5)


def assert_as_in_jax(heatmap, offsets, sizes, last, config):
  """Of maps [n, n, 1], [n, n, 2] and [n, n, 2]."""
  want = jax_decode.decode(
      Predictions(*map(jnp.asarray, (heatmap, offsets, sizes))), last,
      np.float32(1.3), config.hyperparameters, config.rule)
  shift, size, score = decode(
      heatmap.reshape(-1), offsets.reshape(-1, 2).T, sizes.reshape(-1, 2).T,
      last, 1.3, config)
  np.testing.assert_allclose(shift, want.shift, atol=1e-3)
  np.testing.assert_allclose(size, want.size, rtol=1e-4)
  assert score == pytest.approx(float(want.score), rel=1e-5, abs=0)


@pytest.mark.parametrize('seed', range(20))
def test_decode_takes_any_numbers_as_jax_does(seed):
  """Sizes that are tiny, negative or huge, and scores of 0."""
  rng = np.random.default_rng(seed)
  heatmap = np.full((31, 31, 1), -200, np.float32)
  heatmap.flat[rng.permutation(961)[:20]] = rng.uniform(-3, 3, 20)
  offsets = rng.normal(0, 0.2, (31, 31, 2)).astype('f')
  sizes = rng.choice([1e-15, -20, 30, 60, 1e15], (31, 31, 2)).astype('f')
  last = rng.uniform(20, 90, 2).astype('f')
  assert_as_in_jax(heatmap, offsets, sizes, last, dataclasses.replace(
      CONFIG, threshold=0.6 if seed % 2 else 0.05))


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize(('logits', 'spread', 'settings'), [
    (-66, 60, {'window_influence': 0.0}),  # a lost target's
    (-2, 6e4, {'penalty_k': 10.0}),  # penalties that float32 cannot hold
    (-2, 1e22, {'penalty_k': 0.0}),  # context sides
    (-2, 1e-22, {'penalty_k': 0.0}),
], ids=['low', 'penalty', 'huge', 'tiny'])
def test_decode_has_the_range_of_jax(seed, logits, spread, settings):
  """Scores near 0, and what is beyond the largest float."""
  rng = np.random.default_rng(seed)
  heatmap = rng.normal(logits, 3, (31, 31, 1)).astype('f')
  offsets = rng.normal(0, 0.2, (31, 31, 2)).astype('f')
  sizes = rng.normal(0, spread, (31, 31, 2)).astype('f')
  if logits < -60:
    sizes = np.abs(sizes) + 9
  assert_as_in_jax(heatmap, offsets, sizes,
                   rng.uniform(20, 90, 2).astype('f'),
                   dataclasses.replace(CONFIG, **settings))


@pytest.mark.parametrize('above', [0, 2, 7, 16, 30])
def test_candidates_are_the_best_few(above):
  """At least topk_min, at most topk_max, else all above the threshold."""
  rng = np.random.default_rng(above)
  score = rng.uniform(0, 0.1, 961)
  score[rng.permutation(961)[:above]] = rng.uniform(0.2, 1, above)
  count = min(max(above, CONFIG.topk_min), CONFIG.topk_max)
  np.testing.assert_array_equal(
      decode_module._candidates(
          np.log(score / (1 - score)).astype('f'), CONFIG),
      np.sort(np.argsort(-score)[:count]))


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
