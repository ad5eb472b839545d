"""The choice of a box in NumPy, as JAX and the reference have it."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.models.siamkpn import Predictions
from siamkpn_jax.tracking import decode as jax_decode
from tests.optional import needs_onnx
from tests.reference import tracking as reference
from tests.tracking.small import CONFIG

needs_onnx()

from siamkpn_jax.tracking.onnx import decode as decode_module  # noqa: E402
from siamkpn_jax.tracking.onnx.decode import decode  # noqa: E402


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
