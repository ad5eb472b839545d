"""The choice of the box against the float64 reference (SPEC 8)."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamkpn_jax.config.settings import TargetsConfig
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.head import Predictions
from siamkpn_jax.tracking.choice import checked
from siamkpn_jax.tracking.decode import DecodeConfig, decode
from siamkpn_jax.training.targets import make_targets
from tests.reference import tracking as reference

# float32 against float64: positions of some 100 pixels, sizes of some 100.
TOLERANCE = 2e-5

CONFIGS = {
    'published': {},
    'otb 2 stages': {'penalty_k': 0.06, 'window_influence': 0.51,
                     'size_lr': 0.37},
    'no window': {'window_influence': 0.0},
    # Not 1: the window itself is symmetric, so it has ties.
    'nearly only window': {'window_influence': 0.98},
    'no penalty': {'penalty_k': 0.0},
    'strong penalty': {'penalty_k': 0.9, 'window_influence': 0.1},
    'size stays': {'size_lr': 0.0},
    'size follows': {'size_lr': 1.0},
    'paper candidates': {'topk_min': 8, 'topk_max': 32},
    'one candidate': {'topk_min': 1, 'topk_max': 1},
    'all candidates': {'topk_min': 961, 'topk_max': 961},
    'high threshold': {'threshold': 0.9},
    'paper offsets': {'offset_unit': 8.0},
}


@functools.partial(jax.jit, static_argnames='config')
def jitted(maps, size, scale, config):
  return decode(maps, size, scale, config.hyperparameters, config.rule)


def run(heatmap, offsets, size, last, scale, changes=()):
  """`decode` and the reference on [31, 31, ...] maps."""
  values = reference.SETTINGS | dict(changes)
  maps = Predictions(*(jnp.asarray(m, jnp.float32)
                for m in (heatmap[..., None], offsets, size)))
  found = jitted(maps, jnp.asarray(last, jnp.float32), jnp.float32(scale),
                 DecodeConfig(**values))
  expected = reference.decode(
      np.float32(heatmap), np.float32(offsets), np.float32(size), last, scale,
      values)
  return found, expected


def assert_equal(found, expected):
  for name in ('shift', 'size', 'score'):
    np.testing.assert_allclose(
        getattr(found, name), expected[name], rtol=TOLERANCE,
        atol=20 * TOLERANCE, err_msg=name)


def random_maps(seed, mean=-2.0):
  """Predictions like those of a network; the best scores are apart.

  Distinct multiples of 1/100 as logits: no ties, float32 keeps the order.
  """
  rng = np.random.default_rng(seed)
  heatmap = (rng.permutation(961).reshape(31, 31) - 480) / 100 + mean
  return (heatmap, rng.normal(0, 0.3, (31, 31, 2)),
          rng.uniform(20, 140, (31, 31, 2)))


@pytest.mark.parametrize('name', CONFIGS)
def test_equals_reference(name):
  rng = np.random.default_rng(len(name))
  for seed in range(12):
    maps = random_maps(seed, mean=rng.uniform(-6, 3))
    last, scale = rng.uniform(10, 200, 2), rng.uniform(0.3, 4)
    assert_equal(*run(*maps, last, scale, CONFIGS[name]))


def place(heatmap_values, sizes=None):
  """Predictions whose other cells are far below the given {cell: score}."""
  heatmap = np.full((31, 31), -20.0) - np.arange(961).reshape(31, 31) / 100
  for cell, score in heatmap_values.items():
    heatmap[cell] = np.log(score / (1 - score))
  size = np.full((31, 31, 2), 60.0)
  for cell, value in (sizes or {}).items():
    size[cell] = value
  return heatmap, np.zeros((31, 31, 2)), size


def test_minimum_of_candidates_below_the_threshold():
  """At least four, whatever their scores: the fifth has the better place."""
  far = {(0, 0): 0.10, (0, 30): 0.09, (30, 0): 0.08, (30, 30): 0.07}
  window_only = {'window_influence': 1.0}
  found, expected = run(*place(far | {(15, 15): 0.06}), [60, 60], 1.0,
                        window_only)
  assert_equal(found, expected)
  assert np.abs(found.shift).max() == 120  # a corner; the middle may not
  assert found.score < 0.15
  del far[30, 30]
  found, expected = run(*place(far | {(15, 15): 0.06}), [60, 60], 1.0,
                        window_only)
  assert_equal(found, expected)
  np.testing.assert_array_equal(found.shift, [0, 0])  # now it is the fourth


def test_candidates_over_the_threshold():
  """The fifth is one only if its score exceeds 0.15."""
  far = {(0, 0): 0.9, (0, 30): 0.8, (30, 0): 0.7, (30, 30): 0.6}
  for score, shift in ((0.16, 0), (0.14, 120)):
    found, expected = run(*place(far | {(15, 15): score}), [60, 60], 1.0,
                          {'window_influence': 1.0})
    assert_equal(found, expected)
    assert np.abs(found.shift).max() == shift


def test_at_most_sixteen_candidates():
  border = {(0, j): 0.9 - j / 100 for j in range(16)}
  found, _ = run(*place(border | {(15, 15): 0.5}), [60, 60], 1.0,
                 {'window_influence': 1.0})
  assert found.shift[1] == -120
  found, _ = run(*place(border | {(15, 15): 0.5}), [60, 60], 1.0,
                 {'window_influence': 1.0, 'topk_max': 17})
  assert found.shift[1] == 0


def test_penalty_by_hand():
  """Twice the side: s = 2, r = 1; twice as wide for its height: r = 2."""
  cell = (15, 15)
  for size, change in (((120, 120), 2.0), ((30, 30), 2.0), ((60, 60), 1.0)):
    found, _ = run(*place({cell: 0.5}, {cell: size}), [60, 60], 1.0,
                   {'penalty_k': 0.3, 'size_lr': 1.0})
    rate = 0.5 * np.exp(-0.3 * (change - 1))
    np.testing.assert_allclose(
        found.size, (1 - rate) * 60 + rate * np.array(size), rtol=1e-6)


def test_offset_is_x_then_y_and_size_is_w_then_h():
  heatmap, offsets, size = place({(10, 20): 0.9}, {(10, 20): (50, 70)})
  offsets[10, 20] = [0.25, -0.125]
  found, _ = run(heatmap, offsets, size, [50, 70], 2.0)
  np.testing.assert_allclose(found.shift, [(40 + 16) / 2, (-40 - 8) / 2])
  assert found.size[0] < 50 and found.size[1] < 70  # predicted: 25 x 35


@pytest.mark.parametrize('offset_target', ['released', 'paper'])
def test_labels_decode_to_the_true_box(offset_target):
  """Perfect maps give the box back; SPEC 5 and 8 agree on the units."""
  rng = np.random.default_rng(5)
  for _ in range(20):
    center = rng.uniform(60, 194, 2)
    if offset_target == 'released':
      wh = rng.uniform(20, 150, 2)
    else:  # only the center cell has an offset
      wh = np.array([80.0, 60.0])
    box = jnp.asarray([[*center, *wh]], jnp.float32)
    labels = make_targets(box, jnp.zeros(1, bool), 3, TargetsConfig(
        offset_target=offset_target))
    label = np.asarray(labels.heatmaps[-1, 0], np.float64)
    heatmap = np.log((label + 1e-6) / (1 - label + 1e-6))
    scale = rng.uniform(0.5, 3)
    unit = {'released': 64.0, 'paper': 8.0}[offset_target]
    found, _ = run(heatmap, np.asarray(labels.offsets[0]),
                   np.asarray(labels.size[0]), wh / scale, scale,
                   {'size_lr': 1.0, 'window_influence': 0.0,
                    'offset_unit': unit})
    np.testing.assert_allclose(
        found.shift, (center - 127) / scale, atol=1e-3)
    np.testing.assert_allclose(found.size, wh / scale, rtol=1e-4)
    assert found.score > 0.999


@pytest.mark.parametrize('value', [0.0, -1.0, -50.0, -1e6, 1e-20, 1e6])
def test_impossible_sizes_give_numbers(value):
  """Predicted sizes are not bounded; the tracker clamps what comes of them."""
  heatmap, offsets, size = random_maps(1)
  for channel in (0, 1, slice(None)):
    size[..., channel] = value
    found, expected = run(heatmap, offsets, size, [40, 30], 1.5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
    _, finals, _ = reference.final_scores(
        heatmap, size, np.array([40, 30]) * 1.5, reference.SETTINGS)
    first, second = sorted(finals.values(), reverse=True)[:2]
    if first - second > 1e-6:  # penalties of 0 leave the window, with its ties
      assert_equal(found, expected)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**16), st.floats(5, 7))
def test_absurd_sizes_give_numbers(seed, exponent):
  """Those of a network that has learned nothing; penalties grow to 1e38."""
  heatmap, offsets, size = random_maps(seed)
  size[:] = 10**exponent * np.random.default_rng(seed).normal(size=size.shape)
  found, _ = run(heatmap, offsets, size, [120, 64], 0.7)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


@pytest.mark.parametrize('width', [526_000, 560_000])
def test_size_that_overflows_is_the_last_one(width):
  """The penalty, which should be 1 at most, is some 1e33 or 1e37.

  At the smaller one, only the width overflows.
  """
  height, last = -140_000, np.array([120, 64])
  assert 1e32 < reference.penalty(width, height, *last * 0.7, 0.1) < 3e38
  found, _ = run(np.full((31, 31), 5.0), np.zeros((31, 31, 2)),
                 np.full((31, 31, 2), (width, height)), last, 0.7)
  np.testing.assert_array_equal(found.size, last)


@pytest.mark.parametrize('part', ['heatmap', 'size'])
def test_nan_of_the_network_is_not_hidden(part):
  heatmap, offsets, size = random_maps(1)
  {'heatmap': heatmap, 'size': size}[part][:] = np.nan
  found = jitted(
      Predictions(*(jnp.asarray(m, jnp.float32)
             for m in (heatmap[..., None], offsets, size))),
      jnp.asarray([120.0, 64.0]), jnp.float32(0.7),
      DecodeConfig(**reference.SETTINGS))
  assert np.isnan(found.size).all()


@pytest.mark.parametrize('heatmap', [-1e4, 1e4])
def test_saturated_heatmap_gives_numbers(heatmap):
  _, offsets, size = random_maps(2)
  found, _ = run(np.full((31, 31), heatmap), offsets, size, [40, 30], 1.5,
                 {'window_influence': 1.0})
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
  assert found.score == (heatmap > 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**16), st.integers(-8, 8), st.integers(-8, 8))
def test_translation(seed, down, right):
  """Without a window, maps moved by cells move the box by 8 pixels each."""
  rng = np.random.default_rng(seed)
  heatmap, offsets, size = place(
      {(i, j): s for (i, j), s in zip(
          rng.permutation(np.argwhere(np.ones((9, 9))) + 11)[:20].tolist(),
          rng.permutation(np.linspace(0.2, 0.9, 20)), strict=True)})
  offsets[:] = rng.normal(0, 0.3, offsets.shape)
  size[:] = rng.uniform(40, 80, size.shape)
  roll = lambda m: np.roll(m, (down, right), axis=(0, 1))
  no_window = {'window_influence': 0.0}
  found, _ = run(heatmap, offsets, size, [60, 50], 1.25, no_window)
  moved, _ = run(roll(heatmap), roll(offsets), roll(size), [60, 50], 1.25,
                 no_window)
  np.testing.assert_allclose(
      moved.shift - found.shift, np.array([right, down]) * 8 / 1.25, atol=1e-4)
  np.testing.assert_allclose(moved.size, found.size, rtol=1e-6)
  assert moved.score == found.score


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**16), st.floats(0.25, 4))
def test_frame_scale(seed, zoom):
  """The same crop of a frame of another resolution: the box scales."""
  maps = random_maps(seed)
  found, _ = run(*maps, [60, 50], 1.5)
  zoomed, _ = run(*maps, [60 * zoom, 50 * zoom], 1.5 / zoom)
  np.testing.assert_allclose(
      zoomed.shift, found.shift * zoom, rtol=1e-4, atol=1e-3)
  np.testing.assert_allclose(zoomed.size, found.size * zoom, rtol=1e-4)


@pytest.mark.parametrize(('name', 'value'), [
    ('size_lr', 1e30), ('penalty_k', math.nan), ('window_influence', -0.1),
    ('threshold', math.inf)])
def test_absurd_hyperparameters_are_refused(name, value):
  """Those of a tracker, and those of one target."""
  with pytest.raises(UserError, match=f'config.tracking.{name} is'):
    DecodeConfig(**{**reference.SETTINGS, name: value})
  numbers = DecodeConfig(**reference.SETTINGS).hyperparameters
  assert checked(numbers) is numbers
  with pytest.raises(UserError, match=f'config.tracking.{name} is'):
    checked(dataclasses.replace(numbers, **{name: value}))
