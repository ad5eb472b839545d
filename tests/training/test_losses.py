"""Losses against loops in plain Python, and their extremes (SPEC 6)."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.config.settings import LossConfig, TargetsConfig
from siamkpn_jax.models.head import Predictions
from siamkpn_jax.training.losses import (
    heatmap_loss,
    siamkpn_losses,
    smooth_l1,
)
from siamkpn_jax.training.targets import make_targets
from tests.reference import losses as reference

NUM_STAGES = 3
BOXES = np.float32([(120.3, 140.1, 60, 40), (127, 127, 64, 64),
                    (30, 250, 20, 90), (150, 101, 35, 70)])
FOCAL = jax.jit(jax.value_and_grad(heatmap_loss), static_argnums=2)
LOSSES = jax.jit(siamkpn_losses, static_argnums=2)


def labels(negative=(False, False, False, True)):
  return make_targets(BOXES, np.array(negative), NUM_STAGES, TargetsConfig())


def random_maps(seed=0):
  rng = np.random.default_rng(seed)
  shape = (len(BOXES), 31, 31)
  return [Predictions(*(
      np.float32(rng.normal(m, s, (*shape, c)))
      for c, m, s in ((1, -1, 2), (2, 0, 1), (2, 60, 20))))
          for _ in range(NUM_STAGES)]


def perfect_maps(targets):
  """What the network should say, with very sure logits."""
  return [Predictions(jnp.where(heatmap == 1, 100.0, -100.0)[..., None],
               targets.offsets, targets.size) for heatmap in targets.heatmaps]


@pytest.mark.parametrize('negative', [
    (False, False, False, True), (True,) * 4, (False,) * 4], ids=str)
def test_losses_equal_reference(negative):
  """1e-5 relative, with some, no and only positives."""
  targets, maps = labels(negative), random_maps()
  losses = LOSSES(maps, targets, LossConfig())
  expected = reference.total(
      [(m.heatmap, m.offsets, m.size) for m in maps],
      *map(np.asarray, (targets.heatmaps, targets.offsets, targets.size)))
  for name, value in expected.items():
    np.testing.assert_allclose(losses[name], value, rtol=1e-5, err_msg=name)
  for name in ('heatmap', 'offsets', 'size'):
    np.testing.assert_allclose(
        losses[name],
        np.mean([losses[f'stage{s}/{name}'] for s in (1, 2, 3)]), rtol=1e-6)


@pytest.mark.parametrize('config', [
    LossConfig(positive_weight=0.95), LossConfig(alpha=1.5, beta=3.0),
    LossConfig(gamma=0.5)], ids=str)
def test_heatmap_settings(config):
  """Reference: positives weigh 1 (released) or 1 - gamma (paper)."""
  logits = random_maps()[0].heatmap[..., 0]
  heatmap = labels().heatmaps[0]
  expected = reference.focal(
      logits, np.asarray(heatmap), alpha=config.alpha, beta=config.beta,
      gamma=config.gamma, positive_weight=config.positive_weight)
  np.testing.assert_allclose(
      FOCAL(logits, heatmap, config)[0], expected, rtol=1e-5)


def test_weights_of_the_total():
  """1 and 0.05 by default."""
  assert LossConfig() == LossConfig(2.0, 4.0, 0.05, 1.0, 1.0, 0.05)
  config = dataclasses.replace(
      LossConfig(), offsets_weight=3.0, size_weight=0.5)
  losses = LOSSES(random_maps(), labels(), config)
  np.testing.assert_allclose(
      losses['loss'], losses['heatmap'] + 3 * losses['offsets'] +
      0.5 * losses['size'], rtol=1e-6)


@pytest.mark.parametrize('logit', [-1e4, -100, -30, 0, 30, 100, 1e4])
@pytest.mark.parametrize('label', [0, 0.5, 1])
def test_extreme_logits(logit, label):
  """Finite, exact to 1e-5, and so is the gradient (numerically, float64)."""
  logits, heatmap = np.float32([[[logit]]]), np.float32([[[label]]])
  value, gradient = FOCAL(logits, heatmap, LossConfig())
  assert np.isfinite(value) and np.isfinite(gradient).all()
  np.testing.assert_allclose(
      value, reference.focal(logits, heatmap), rtol=1e-5, atol=1e-30)
  step = 1e-4
  slope = (reference.focal(np.float64(logits) + step, heatmap) -
           reference.focal(np.float64(logits) - step, heatmap)) / (2 * step)
  np.testing.assert_allclose(gradient[0, 0, 0], slope, rtol=1e-4, atol=1e-8)


def test_wrong_and_certain():
  """By hand: a missed center costs its logit, a false one gamma times it."""
  one = lambda logit, label: float(
      FOCAL(np.float32([[[logit]]]), np.float32([[[label]]]), LossConfig())[0])
  np.testing.assert_allclose(one(-100, 1), 100)
  np.testing.assert_allclose(one(100, 0), 5)
  np.testing.assert_allclose(one(100, 0.5), 5 / 16)
  np.testing.assert_allclose(one(0, 1), 0.25 * np.log(2), rtol=1e-6)


def test_no_positives():
  """Divided by 1; the regressions are zero and pull nowhere."""
  targets, maps = labels((True,) * 4), random_maps()
  gradient_of = jax.jit(jax.grad(
      lambda maps: siamkpn_losses(maps, targets, LossConfig())['loss']))
  for stage in gradient_of(maps):
    assert np.isfinite(stage.heatmap).all() and np.any(stage.heatmap)
    assert not np.any(stage.offsets) and not np.any(stage.size)


def test_perfect_prediction():
  """Costs nothing, although the labels beside the center are not zero."""
  targets = labels()
  losses = LOSSES(perfect_maps(targets), targets, LossConfig())
  for name in ('loss', 'heatmap', 'offsets', 'size'):
    assert 0 <= losses[name] < 1e-6


def test_cells_outside_do_not_matter():
  """Regressions look at labeled cells only, even where the others are huge."""
  targets, maps = labels(), random_maps()
  mask = np.asarray(targets.size_mask)[..., None]
  spoiled = [m.replace(offsets=np.where(mask, m.offsets, 1e30),
                       size=np.where(mask, m.size, -1e30)) for m in maps]
  for name in ('offsets', 'size'):
    np.testing.assert_array_equal(
        LOSSES(maps, targets, LossConfig())[name],
        LOSSES(spoiled, targets, LossConfig())[name])


def test_reference_offset_weights_are_aligned():
  """Reference: the released program weighs with another example's labels.

  Only the third example errs, at one cell: its own label is the weight.
  """
  targets = labels()
  maps = perfect_maps(targets)
  b, (i, j) = 2, np.argwhere(np.asarray(targets.heatmaps[0][2]) > 0.1)[0]
  assert 0 < targets.heatmaps[0][b, i, j] < 1
  maps = [m.replace(offsets=m.offsets.at[b, i, j, 0].add(2.0)) for m in maps]
  losses = LOSSES(maps, targets, LossConfig())
  cells = float(np.sum(targets.offsets_mask))
  for s in range(NUM_STAGES):
    np.testing.assert_allclose(
        losses[f'stage{s + 1}/offsets'],
        smooth_l1(2 * targets.heatmaps[s][b, i, j], 0) / (2 * cells),
        rtol=1e-5)


def test_positives_of_the_whole_batch():
  """Two positives: the mean of the two alone, not a mean of means."""
  logits, heatmap = random_maps()[0].heatmap[..., 0], labels().heatmaps[0]
  focal = functools.partial(
      lambda k: float(FOCAL(logits[k], heatmap[k], LossConfig())[0]))
  both = focal(slice(0, 4))
  np.testing.assert_allclose(
      both, sum(focal(slice(k, k + 1)) for k in range(4)) / 3, rtol=1e-5)


def test_smooth_l1():
  """Both branches and their joint, by hand."""
  np.testing.assert_allclose(
      smooth_l1(np.float32([0, 0.5, 1, 3, -3]), np.zeros(5)),
      [0, 0.125, 0.5, 2.5, 2.5])
