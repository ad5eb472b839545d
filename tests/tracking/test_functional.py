"""The tracker as pure functions, by `siamkpn_jax.tracking.functional`."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking import functional
from tests.tracking.small import CONFIG, small_network


def pure_arguments():
  model, variables = small_network()
  rng = np.random.default_rng(0)
  crops = [rng.integers(0, 256, (1, side, side, 3), dtype=np.uint8)
           for side in (127, 255)]
  state = functional.init(
      variables, crops[0], np.float32([[50, 40]]), np.float32([[30, 20]]),
      model=model)
  search = functional.SearchInput(
      crops[1], np.float32([2.0]), np.float32([[160, 120]]))
  numbers = jax.tree.map(lambda x: np.float32([x]), CONFIG.hyperparameters)
  return ((variables, state, search, numbers),
          {'model': model, 'rule': CONFIG.rule})


@pytest.mark.parametrize(('crops', 'error', 'message'), [
    (None, TypeError, 'crops is a NoneType'), ([], TypeError, 'a list'),
    (np.zeros((1, 255, 255, 3)), ValueError, 'expected an array'),
    (np.zeros((255, 255, 3), np.uint8), ValueError, r'\(255, 255, 3\)'),
    (np.zeros((1, 254, 255, 3), np.uint8), ValueError, r'\(1, 254, 255, 3\)'),
    (np.zeros((1, 255, 255, 1), np.uint8), ValueError, r'\(1, 255, 255, 1\)')])
def test_what_is_no_crop(crops, error, message):
  (variables, state, search, numbers), static = pure_arguments()
  search = dataclasses.replace(search, crops=crops)
  with pytest.raises(error, match=message):
    functional.update(variables, state, search, numbers, **static)
  with pytest.raises(error, match='crops'):
    functional.init(variables, crops, state.center, state.size,
                    model=static['model'])


def test_update_is_pure():
  """The same inputs twice give the same bits; the state is not consumed."""
  arguments, static = pure_arguments()
  before = jax.device_get(arguments[1])
  first = jax.device_get(functional.update(*arguments, **static))
  second = jax.device_get(functional.update(*arguments, **static))
  assert len(jax.tree.leaves(arguments[1])) > 2  # a pytree of arrays
  jax.tree.map(np.testing.assert_array_equal, first, second)
  jax.tree.map(np.testing.assert_array_equal, before, arguments[1])


@pytest.mark.parametrize(('targets', 'at_once', 'devices'), [
    (5, 2, 1), (4, 2, 1), (2, 4, 1), (4, 1, 2), (8, 2, 2), (6, 2, 2)])
@pytest.mark.parametrize('every_stage', [False, True])
def test_parts_of_a_batch(targets, at_once, devices, every_stage):
  """Crops some at a time give what all at once give."""
  (variables, state, search, numbers), static = pure_arguments()
  rng = np.random.default_rng(1)
  state, search, numbers = jax.tree.map(
      lambda x: np.concatenate([np.asarray(x)] * targets),
      (state, search, numbers))
  crops = rng.integers(0, 256, search.crops.shape, dtype=np.uint8)
  search = dataclasses.replace(search, crops=crops)
  static |= {'every_stage': every_stage}
  expected, found = (
      functional.update(variables, state, search, numbers, at_once=n,
                        devices=devices, **static)
      for n in (0, at_once))
  assert found[1].heatmaps.shape == (targets, 2 if every_stage else 1, 31, 31)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(
      a, b, rtol=1e-5, atol=1e-4), found, expected)
  assert len(np.unique(found[1].score)) == targets


def convolutions(function, *args):
  """Number of convolutions and products that a function consists of."""
  text = str(jax.make_jaxpr(function)(*args))
  return text.count('conv_general_dilated[') + text.count('dot_general[')


def test_template_is_computed_once():
  """`update` only carries it, and consists of the search side alone."""
  arguments, static = pure_arguments()
  variables, state, inputs, _ = arguments
  after, _ = functional.update(*arguments, **static)
  jax.tree.map(
      np.testing.assert_array_equal, state.template, after.template)
  assert {leaf.shape for leaf in jax.tree.leaves(state.template)} == {
      (1, 5, 5, 8)}  # kernels only
  search = functools.partial(
      static['model'].apply, train=False, method=SiamKPN.search)
  expected = convolutions(
      search, variables, state.template, inputs.crops.astype(np.float32))
  update = functools.partial(functional.update, **static)
  assert convolutions(update, *arguments) == expected > 0
