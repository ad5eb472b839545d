"""Labels against per-cell loops, and what must hold for any box (SPEC 5)."""

import functools
import itertools

import hypothesis
import jax
import numpy as np
import pytest
from hypothesis import strategies as st

from siamkpn_jax.config.settings import TargetsConfig
from siamkpn_jax.core import geometry
from siamkpn_jax.training.targets import (
  make_targets,
)
from tests.reference.labels import half_to_even, labels

# cx, cy, w, h: the middle, any place, rounding halves (of both parities),
# borders of the map, outside of it.
BOXES = np.array([
    (127, 127, 60, 40), (130.7, 119.2, 64, 64), (131, 123, 30, 80),
    (139, 115, 30, 80), (7, 247, 100, 20), (3.5, 130, 50, 50),
    (251, 127, 50, 50), (2.9, 2.9, 10, 10), (-20, 127, 60, 60),
    (300, 300, 60, 60), (260, -8, 60, 61)], np.float32)
VARIANTS = [
    {'shrink': shrink, 'radius': radius, 'offset_target': offset_target}
    for shrink in ('cascade', 'released')
    for radius in (31 / 8, None)
    for offset_target in ('released', 'paper')]


def jitted(num_stages, config):
  """`make_targets`, compiled once for each variant."""
  return jax.jit(functools.partial(
      make_targets, num_stages=num_stages, config=config))


@pytest.mark.parametrize('num_stages', [1, 3])
@pytest.mark.parametrize('variant', VARIANTS, ids=str)
def test_targets_equal_reference(variant, num_stages):
  """All variants, every box also as a negative; 1e-5 absolute."""
  config = TargetsConfig(
      heatmap_shrink=variant['shrink'], heatmap_radius=variant['radius'],
      offset_target=variant['offset_target'])
  boxes = np.concatenate([BOXES, BOXES])
  negative = np.arange(len(boxes)) >= len(BOXES)
  targets = jitted(num_stages, config)(boxes, negative)
  for b, box in enumerate(boxes):
    heatmaps, offsets, size, offsets_mask, size_mask = labels(
        box, negative[b], num_stages, **variant)
    np.testing.assert_allclose(targets.heatmaps[:, b], heatmaps, atol=1e-5)
    np.testing.assert_array_equal(targets.heatmaps[:, b] == 1, heatmaps == 1)
    np.testing.assert_array_equal(
        np.asarray(targets.heatmaps[:, b]) > 1e-30, heatmaps > 1e-30)
    np.testing.assert_allclose(targets.offsets[b], offsets, atol=1e-5)
    np.testing.assert_array_equal(targets.size[b], np.float32(size))
    np.testing.assert_array_equal(targets.offsets_mask[b], offsets_mask)
    np.testing.assert_array_equal(targets.size_mask[b], size_mask)


def test_negatives_are_zero():
  """All maps, so no loss but that of the heatmap's negatives."""
  targets = jitted(3, TargetsConfig(heatmap_radius=None))(
      BOXES, np.ones(len(BOXES), bool))
  assert not any(np.any(leaf) for leaf in jax.tree.leaves(targets))


def test_rounding_is_half_to_even():
  """Continuous centers 15.5 and 16.5 both belong to cell 16."""
  boxes = np.array([(131, 127, 9, 9), (139, 127, 9, 9)], np.float32)
  heatmaps = jitted(1, TargetsConfig())(boxes, np.zeros(2, bool)).heatmaps
  assert [tuple(np.argwhere(h == 1)[0]) for h in heatmaps[0]] == [
      (15, 16), (15, 16)]


def test_reference_cascade_shrinks_but_released_does_not():
  """Reference: the released program trains every stage with the last sigma."""
  negative = np.zeros(len(BOXES), bool)
  ours = np.asarray(jitted(3, TargetsConfig())(BOXES, negative).heatmaps)
  released = np.asarray(jitted(3, TargetsConfig(heatmap_shrink='released'))(
      BOXES, negative).heatmaps)
  np.testing.assert_array_equal(released[0], released[1])
  np.testing.assert_array_equal(released[0], released[2])
  np.testing.assert_array_equal(released[2], ours[2])
  # A cell beside the center: exp(-1 / (2 (0.9^s 31/16)^2)) by hand.
  np.testing.assert_allclose(
      ours[:, 0, 15, 16], [0.875294, 0.848371, 0.816270], atol=1e-5)


def test_reference_offset_units():
  """Reference: released offsets are in 64 pixels, the paper's in cells."""
  assert geometry.offset_unit('released') == 64
  assert geometry.offset_unit('paper') == 8
  with pytest.raises(KeyError):
    geometry.offset_unit('other')


def test_defaults_are_those_of_the_spec():
  """SPEC 5's."""
  assert TargetsConfig() == TargetsConfig(
      sigma=31 / 16, rho=0.9, heatmap_radius=31 / 8, heatmap_shrink='cascade',
      offset_target='released')


COORDINATES = st.floats(-40, 300, width=32)
IN_MAP = st.floats(7, 247, width=32)
SIDES = st.floats(1, 400, width=32)
FEW = hypothesis.settings(
    max_examples=60, deadline=None, database=None, derandomize=True)
DEFAULT = jitted(3, TargetsConfig())
UNTRUNCATED = jitted(3, TargetsConfig(heatmap_radius=None))
PAPER = jitted(1, TargetsConfig(offset_target='paper'))


def one(function, *box):
  """Labels of a single positive."""
  return jax.tree.map(np.asarray, function(
      np.float32([box]), np.zeros(1, bool)))


@FEW
@hypothesis.given(IN_MAP, IN_MAP, SIDES, SIDES)
def test_exactly_one_center(cx, cy, w, h):
  """One cell of every stage is 1, the nearest; the others lie in [0, 1)."""
  for function in (DEFAULT, UNTRUNCATED):
    heatmaps = one(function, cx, cy, w, h).heatmaps[:, 0]
    cell = (half_to_even(15 + (cy - 127) / 8), half_to_even(
        15 + (cx - 127) / 8))
    assert (heatmaps[(slice(None), *cell)] == 1).all()
    assert ((heatmaps == 1).sum(axis=(1, 2)) <= 1 + (
        np.hypot(cx % 8 - 7, cy % 8 - 7) < 0.05)).all()
    assert heatmaps.min() >= 0 and heatmaps.max() == 1


@FEW
@hypothesis.given(COORDINATES, COORDINATES, SIDES, SIDES)
def test_heatmaps_really_shrink(cx, cy, w, h):
  """Every stage is nowhere higher than the one before, and lower at a rim."""
  heatmaps = one(UNTRUNCATED, cx, cy, w, h).heatmaps[:, 0]
  distance = np.hypot(*np.meshgrid(
      np.arange(31) - 15 - (cx - 127) / 8, np.arange(31) - 15 - (cy - 127) / 8))
  rim = (distance > 1) & (distance < 8)
  for before, after in itertools.pairwise(heatmaps):
    assert (after <= before).all()
    assert (after[rim] < before[rim]).all()


@FEW
@hypothesis.given(IN_MAP, IN_MAP, SIDES, SIDES)
def test_labels_hold_the_box(cx, cy, w, h):
  """Every labeled cell gives back the center and the sides (SPEC 8)."""
  for function, unit in ((DEFAULT, 64), (PAPER, 8)):
    targets = one(function, cx, cy, w, h)
    rows, columns = np.nonzero(targets.offsets_mask[0])
    assert len(rows)
    offsets = targets.offsets[0, rows, columns]
    found = np.stack([127 + 8 * (columns - 15), 127 + 8 * (rows - 15)], -1)
    np.testing.assert_allclose(
        found + unit * offsets, np.tile([cx, cy], (len(rows), 1)), atol=1e-3)
    np.testing.assert_array_equal(
        targets.size[0, rows, columns], np.float32([[w, h]] * len(rows)))
