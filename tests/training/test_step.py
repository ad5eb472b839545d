"""What makes a step smaller or faster must leave its result alone."""

import dataclasses
import functools
import re

import jax
import numpy as np
import pytest

from siamkpn_jax.config import architectures
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.distributed import sharding
from siamkpn_jax.models.siamkpn import (
  SiamKPN,
  abstract_variables,
  init_variables,
)
from siamkpn_jax.training import trainer
from siamkpn_jax.training.state import init_state
from tests.training.tiny import tiny_batch, tiny_config


class FrozenBN(SiamKPN):
  """Normalizes by the running statistics, in training too."""

  def __call__(self, z, x, *, train, train_layers=()):
    return super().__call__(z, x, train=False)


@functools.cache
def batch_of_eight():
  """Negative pairs are spread unevenly, so the parts' counts differ."""
  config = tiny_config(train={'batch_size': 8})
  batch = tiny_batch(config)
  batch['negative'] = np.isin(np.arange(8), (0, 1, 4, 5))
  return batch


def make_step(*, frozen_bn=False, **changes):
  sections = {'model': {'levels': ('layer3',), 'num_stages': 2},
              'train': {'batch_size': 8}}
  for key, value in changes.items():
    section, name = key.split('__')
    sections[section][name] = value
  config = tiny_config(**sections)
  step = trainer.build_step(config)
  if frozen_bn:
    fields = {f.name: getattr(step.model, f.name)
              for f in dataclasses.fields(step.model)
              if f.name not in ('parent', 'name')}
    step = dataclasses.replace(step, model=FrozenBN(**fields))
  return step


@functools.cache
def compiled_start():
  """Fresh weights, and the statistics that they have on the batch."""
  step = make_step()

  @jax.jit
  def init(seed, batch):
    state = init_state(init_variables(step.model, seed), step.optimizer)
    z, x, _ = step.prepare(batch)
    _, new = step.model.apply(
        {'params': state.params, 'batch_stats': state.batch_stats}, z, x,
        train=True, train_layers=architectures.LAYERS['resnet10'],
        mutable=['batch_stats'])
    return dataclasses.replace(state, batch_stats=jax.tree.map(
        lambda old, new: old + (new - old) / (1 - 0.9**2),  # two crops
        state.batch_stats, new['batch_stats']))
  return init


@functools.cache
def start(seed=0):
  return jax.device_get(compiled_start()(seed, batch_of_eight()))


def gradients(step, unfrozen=True, examples=slice(None)):
  """Gradients, losses and statistics of the batch, in float64."""
  with jax.enable_x64(True):
    step = dataclasses.replace(step, model=step.model.clone(dtype='float64'))
    wide = lambda tree: jax.tree.map(np.float64, tree)
    return jax.device_get(jax.jit(functools.partial(
        step.accumulated_gradients, unfrozen=unfrozen))(
            wide(start().params), wide(start().batch_stats),
            {name: x[examples] for name, x in batch_of_eight().items()}))


def assert_close(actual, expected, tolerance):
  """Relative to the largest value of each array, or of all."""
  largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected))
  for (path, a), b in zip(jax.tree.leaves_with_path(actual),
                          jax.tree.leaves(expected), strict=True):
    scale = max(np.abs(b).max(), 1e-3 * largest)
    assert np.abs(a - b).max() <= tolerance * scale, jax.tree_util.keystr(path)


def test_negative_and_gray_examples():
  """A negative pair has no target in its labels; a gray one has no colors."""
  batch = tiny_batch(tiny_config())
  for name, values in (('negative', (1, 0, 0, 1)), ('gray', (1, 0, 1, 0))):
    batch[name] = np.array(values, bool)
  z, x, labels = jax.device_get(jax.jit(make_step().prepare)(batch))
  peaks = labels.heatmaps.max(axis=(0, 2, 3))  # [s, b, n, n]
  assert (peaks > 0.5).tolist() == [False, True, True, False]
  for crops in (z, x):
    colors = np.ptp(crops, axis=-1).max(axis=(1, 2))
    assert (colors > 1e-3).tolist() == [False, True, False, True]


@pytest.mark.slow
def test_parts_add_up_to_the_batch():
  """Losses and gradients to 1e-9, although the parts' counts differ."""
  whole = gradients(make_step(frozen_bn=True))
  parts = gradients(make_step(frozen_bn=True, train__accumulate=4))
  assert_close(parts[:2], whole[:2], 1e-9)
  jax.tree.map(np.testing.assert_array_equal, parts[2], start().batch_stats)


@pytest.mark.slow
def test_batch_normalization_of_parts():
  """Each part is normalized alone; the statistics move by the parts' mean."""
  step = make_step(train__accumulate=2)
  _, losses, stats = gradients(step, unfrozen=False)
  alone = make_step(train__batch_size=4)
  singles = [gradients(alone, unfrozen=False, examples=slice(k, None, 2))
             for k in (0, 1)]
  mean = jax.tree.map(lambda a, b: (a + b) / 2, *(s for _, _, s in singles))
  assert_close(stats, mean, 1e-9)
  jax.tree.map(np.testing.assert_array_equal, stats['backbone'],
               start().batch_stats['backbone'])
  # Where all features are as in the undivided batch, so are their means.
  whole = gradients(make_step(), unfrozen=False)
  for level, new in stats['neck'].items():
    expected = whole[2]['neck'][level]['bn']
    np.testing.assert_allclose(new['bn']['mean'], expected['mean'], rtol=1e-9)
    np.testing.assert_allclose(new['bn']['var'], expected['var'], rtol=0.02)
  assert np.isclose(losses['loss'], whole[1]['loss'], rtol=0.2)
  assert not np.isclose(losses['loss'], whole[1]['loss'], rtol=1e-4)


@pytest.mark.slow
def test_parts_stay_on_their_devices():
  """Four devices: nothing of the batch travels, and the step is the same."""
  step = make_step(train__accumulate=2)
  results = []
  for devices in (1, 4):
    mesh = jax.make_mesh((devices,), ('data',), devices=jax.devices()[:devices],
                         axis_types=(jax.sharding.AxisType.Auto,))
    state = jax.device_put(start(), sharding.replicated(mesh))
    batch = sharding.put_batch(batch_of_eight(), mesh)
    compiled = trainer.jit_step(step, mesh, state, unfrozen=False).lower(
        state, batch).compile()
    results.append(jax.device_get(compiled(state, batch)))
  used = re.findall(r' (all-reduce|all-gather|all-to-all|reduce-scatter|'
                    r'collective-\w+)(?:-start)?\(', compiled.as_text())
  assert set(used) == {'all-reduce'}
  (one, one_metrics), (four, four_metrics) = results
  assert_close(four_metrics, one_metrics, 2e-5)
  assert_close(four.batch_stats, one.batch_stats, 1e-4)


def test_batch_must_be_divisible(monkeypatch):
  """By the parts, and each part by the devices."""
  with pytest.raises(UserError, match='config.train.accumulate is 3; expected '
                                      'a divisor .* 8'):
    make_step(train__accumulate=3)
  with pytest.raises(UserError, match='multiple of 16, for 4 devices times 4 '
                                      'parts'):
    sharding.data_mesh(8, 4)
  assert sharding.data_mesh(16, 4).size == 4


@pytest.mark.slow
@pytest.mark.parametrize('unfrozen', [False, True])
def test_rematerialization(unfrozen):
  """The same tree of variables, the same values."""
  plain, remat = make_step(), make_step(train__remat='blocks')
  trees = [jax.tree.structure(abstract_variables(step.model))
           for step in (plain, remat)]
  assert trees[0] == trees[1]
  expected = gradients(plain, unfrozen)
  actual = gradients(remat, unfrozen)
  for a, b in zip(actual, expected, strict=True):
    assert_close(a, b, 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize('changes', [
    {}, {'train__accumulate': 2, 'train__remat': 'blocks',
         'train__ema_decay': 0.9}], ids=['alone', 'with all else'])
def test_bfloat16(changes):
  """Only the computation is narrow: the state stays float32.

  Two steps, so that the second sees what the first has made.
  """
  step = make_step(model__dtype='bfloat16', **changes)
  state = start()
  if step.ema_decay:
    state = dataclasses.replace(state, ema=state.variables)
  train = jax.jit(functools.partial(step, unfrozen=True))
  for _ in range(2):
    state, metrics = train(state, batch_of_eight())
    for leaf in jax.tree.leaves((state, metrics)):
      assert leaf.dtype in (np.float32, np.int32)
      assert np.isfinite(leaf).all()
  assert state.step == 2 and state.skipped == 0


@pytest.mark.slow
def test_losses_of_bfloat16():
  """Their mean over six sets of weights: 2% of each.

  Those of one set would not do: offsets are so small at first that their loss
  is a square, a 300th of the whole, and off by up to 3%.
  """
  def mean_losses(step):
    losses = jax.jit(lambda state, batch: step.gradients(
        state.params, state.batch_stats, *step.prepare(batch),
        unfrozen=True)[1])
    return jax.tree.map(lambda *x: np.mean(x), *(
        losses(start(seed), batch_of_eight()) for seed in range(6)))
  narrow = mean_losses(make_step(model__dtype='bfloat16'))
  for name, value in mean_losses(make_step()).items():
    np.testing.assert_allclose(narrow[name], value, rtol=0.02, err_msg=name)
