"""Whole training runs: resume, devices, freeze, skipped steps."""

import json
import os
import shutil
import signal
import sys

import jax
import numpy as np
import pytest

from siamkpn_jax.checkpoints import weights
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import folder_lock
from siamkpn_jax.distributed import sharding
from siamkpn_jax.models.siamkpn import init_variables
from siamkpn_jax.training import trainer
from siamkpn_jax.training.metrics import LOG_NAME, read_log
from siamkpn_jax.training.state import init_state
from tests.training.tiny import BlobSource, tiny_batch, tiny_config

STEPS = 6  # two epochs of three; the backbone is frozen in the first


def _train(config, workdir):
  return jax.device_get(trainer.train(config, workdir, [BlobSource()]))


def _assert_equal(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
  """Workdir and last state of a run that was never stopped."""
  workdir = tmp_path_factory.mktemp('uninterrupted')
  return workdir, _train(tiny_config(), workdir)


def _stop_at(monkeypatch, step, how):
  """Calls `how` when the batch of a step is asked for."""
  real = trainer.Loader.batches

  def batches(self, start=0):
    for k, batch in enumerate(real(self, start), start + 1):
      if k == step:
        how()
      yield batch

  monkeypatch.setattr(trainer.Loader, 'batches', batches)


def _crash():
  raise RuntimeError('crash')


def test_two_in_one_workdir(tmp_path):
  """The second is refused before it writes anything."""
  with (folder_lock(tmp_path, '--workdir'), pytest.raises(
      UserError, match=f'process {os.getpid()} on .* another --workdir$')):
    _train(tiny_config(), tmp_path)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('step', 'how', 'error', 'saved'), [
    (2, lambda: signal.raise_signal(signal.SIGTERM), KeyboardInterrupt, [2]),
    pytest.param(4, lambda: signal.raise_signal(signal.SIGINT),
                 KeyboardInterrupt, [4], marks=pytest.mark.slow),
    (6, _crash, RuntimeError, [2, 4])])
def test_resumed_equals_uninterrupted(uninterrupted, tmp_path, monkeypatch,
                                      step, how, error, saved):
  """Bit for bit, state and log: signals save, a crash loses two steps."""
  workdir, expected = uninterrupted
  config = tiny_config(
      train={'save_every': 2 if error is RuntimeError else 100})
  _stop_at(monkeypatch, step, how)
  with pytest.raises(error):
    _train(config, tmp_path)
  monkeypatch.undo()
  found = [int(p.name) for p in (tmp_path / 'checkpoints').iterdir()]
  assert sorted(found) == saved
  _assert_equal(_train(tiny_config(), tmp_path), expected)
  drop = {'pairs_per_second', 'data_wait'}
  logs = [[{k: v for k, v in row.items() if k not in drop}
           for row in read_log(d / LOG_NAME)] for d in (workdir, tmp_path)]
  assert logs[0] == logs[1]
  assert [row['step'] for row in logs[0]] == list(range(1, STEPS + 1))


def test_finished_run_stays(uninterrupted):
  """Training again does no further step."""
  workdir, expected = uninterrupted
  _assert_equal(_train(tiny_config(), workdir), expected)


def test_no_resume_refuses_to_overwrite(uninterrupted):
  """An existing run is not thrown away."""
  workdir, _ = uninterrupted
  with pytest.raises(UserError, match='holds a run of 6 steps'):
    trainer.train(tiny_config(), workdir, [BlobSource()], resume=False)


def test_other_architecture_is_named(uninterrupted):
  """A checkpoint of another network: one line with the difference."""
  workdir, _ = uninterrupted
  config = tiny_config(model={'num_stages': 2})
  with pytest.raises(
      UserError, match='architecture: config.model.num_stages is 1 there, 2'):
    trainer.train(config, workdir, [BlobSource()])


def test_other_settings_are_named(uninterrupted, tmp_path):
  """A run is not continued with another seed; where it lies does not matter."""
  workdir, expected = uninterrupted
  config = tiny_config(seed=1)
  with pytest.raises(UserError, match='config.seed is 0 there, 1 here'):
    trainer.train(config, workdir, [BlobSource()])
  config = tiny_config(data={'root': 'elsewhere', 'workers': 1})
  copy = shutil.copytree(workdir, tmp_path / 'copy')
  _assert_equal(_train(config, copy), expected)


def test_missing_tensorflow_is_named(tmp_path, monkeypatch):
  """One line, and no folder for a run that cannot start."""
  monkeypatch.setitem(sys.modules, 'tensorflow', None)
  monkeypatch.delitem(sys.modules, 'siamkpn_jax.datasets.tf_loader',
                      raising=False)
  config = tiny_config(data={'loader': 'tf'})
  with pytest.raises(UserError, match=r'siamkpn_jax\[tf\].*, or .*=threads'
                     ) as info:
    _train(config, tmp_path / 'run')
  assert '\n' not in str(info.value)
  assert not (tmp_path / 'run').exists()


@pytest.mark.slow
def test_damaged_checkpoint_falls_back(uninterrupted, tmp_path, capsys):
  """The one before is taken, and the result is the same."""
  _, expected = uninterrupted
  config = tiny_config(train={'save_every': 4})
  _train(config, tmp_path)
  # Not by cutting files: Orbax then leaves coroutines behind that warn later.
  shutil.rmtree(tmp_path / 'checkpoints' / '6' / 'model')
  _assert_equal(_train(config, tmp_path), expected)
  assert '6: damaged' in capsys.readouterr().err


def test_workdir_is_complete(uninterrupted):
  """Configuration, log, event files, checkpoint."""
  workdir, _ = uninterrupted
  stored = json.loads((workdir / 'config.json').read_text())
  assert stored['model']['num_stages'] == 1
  assert list((workdir / 'tensorboard').glob('events*'))
  path = weights.find_checkpoint(workdir)
  assert weights.read_config(path) == {
      key: value for key, value in stored.items() if key != 'git_revision'}


def test_freeze(tmp_path):
  """Frozen: backbone untouched, statistics too. Unfrozen: layer2 on train."""
  config = tiny_config()
  step_fn = trainer.build_step(config)
  start = init_state(init_variables(step_fn.model, 0), step_fn.optimizer)
  config = config.updated(train={'freeze_epochs': 2})
  frozen = _train(config, tmp_path / 'frozen')
  for name in ('params', 'batch_stats'):
    _assert_equal(getattr(frozen, name)['backbone'],
                  getattr(start, name)['backbone'])
    assert _differs(getattr(frozen, name)['head'], getattr(start, name)['head'])
  config = config.updated(train={'freeze_epochs': 1})
  unfrozen = _train(config, tmp_path / 'unfrozen')
  for name in ('params', 'batch_stats'):
    before = getattr(start, name)['backbone']
    after = getattr(unfrozen, name)['backbone']
    for layer in ('conv1', 'layer1_0'):
      _assert_equal(after[layer], before[layer])
    for layer in ('layer2_0', 'layer3_0'):
      assert _differs(after[layer], before[layer])


@pytest.mark.parametrize('part', ['weights', 'backbone_weights'])
def test_given_weights(tmp_path, part):
  """They replace fresh ones of their part, in the averages too."""
  config = tiny_config(train={'ema_decay': 0.9})
  step_fn = trainer.build_step(config)
  mesh = sharding.data_mesh(config.train.batch_size)
  given = init_variables(step_fn.model, 1)
  weights.save_model(tmp_path / 'given', config, given)
  config = config.updated(model={part: str(tmp_path / 'given')})
  state = trainer.fresh_state(config, step_fn, mesh)
  fresh = init_variables(step_fn.model, config.seed)
  for found in (state.variables, state.ema):
    for name, tree in found.items():
      _assert_equal(tree['backbone'], given[name]['backbone'])
      others = {'backbone': None}  # head and neck
      _assert_equal(tree | others, others | (
          given if part == 'weights' else fresh)[name] | others)


def _differs(a, b):
  return any(np.any(x != y) for x, y in zip(
      jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def _one_step(config, devices, batch, max_loss=None, unfrozen=True):
  if max_loss is not None:
    config = config.updated(train={'max_loss': max_loss})
  step_fn = trainer.build_step(config)
  mesh = jax.make_mesh(
      (devices,), ('data',), devices=jax.devices()[:devices],
      axis_types=(jax.sharding.AxisType.Auto,))
  state = jax.jit(
      lambda variables: init_state(variables, step_fn.optimizer,
                                   ema=step_fn.ema_decay > 0),
      out_shardings=sharding.replicated(mesh))(
          init_variables(step_fn.model, 0))
  old = jax.device_get(state)
  new, metrics = trainer.jit_step(step_fn, mesh, state, unfrozen=unfrozen)(
      state, sharding.put_batch(batch, mesh))
  return old, jax.device_get(new), jax.device_get(metrics)


@pytest.mark.slow
def test_one_device_equals_four():
  """The same losses, gradient norm and parameters up to rounding."""
  config = tiny_config(model={'num_stages': 2}, data={'negative_fraction': 0.5})
  batch = tiny_batch(config)
  _, one, one_metrics = _one_step(config, 1, batch)
  _, four, four_metrics = _one_step(config, 4, batch)
  for name, value in one_metrics.items():
    np.testing.assert_allclose(
        four_metrics[name], value, rtol=2e-5, err_msg=name)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(
      a, b, rtol=1e-4, atol=1e-5), one.batch_stats, four.batch_stats)
  # Adam's first step is the sign of the gradient: compare its moments.
  jax.tree.map(lambda a, b: np.testing.assert_allclose(
      a, b, rtol=1e-3, atol=1e-5 * max(1e-3, np.abs(a).max(initial=0))),
               one.opt_state, four.opt_state)


@pytest.mark.slow
def test_bad_step_is_skipped_and_counted():
  """A loss over the limit changes nothing but the counters."""
  config = tiny_config()
  old, new, metrics = _one_step(config, 1, tiny_batch(config), max_loss=1e-6)
  assert metrics['skipped'] == new.skipped == 1
  assert new.step == old.step + 1
  _assert_equal((new.params, new.batch_stats, new.opt_state),
                (old.params, old.batch_stats, old.opt_state))


@pytest.mark.slow
def test_moving_average_is_what_tracking_loads(tmp_path):
  """Resumed as if never stopped; tracking's weights are the average."""
  config = tiny_config(train={'ema_decay': 0.9, 'save_every': 4})
  expected = _train(config, tmp_path)
  shutil.rmtree(tmp_path / 'checkpoints' / '6')
  _assert_equal(_train(config, tmp_path), expected)
  _, variables = weights.load_model(tmp_path)
  _assert_equal(variables, expected.ema)
  assert _differs(expected.ema['params'], expected.params)
  assert _differs(expected.ema['batch_stats'], expected.batch_stats)


@pytest.mark.slow
def test_moving_average_skips_bad_steps():
  """It moves by 9/10 in the first step, not at all in a bad one."""
  config = tiny_config(train={'ema_decay': 0.999})
  batch = tiny_batch(config)
  old, new, _ = _one_step(config, 1, batch)
  _assert_equal(old.ema, old.variables)
  jax.tree.map(lambda ema, a, b: np.testing.assert_allclose(
      ema, 0.1 * a + 0.9 * b, rtol=1e-5, atol=1e-6),
               new.ema, old.variables, new.variables)
  _, bad, _ = _one_step(config, 1, batch, max_loss=1e-6)
  _assert_equal(bad.ema, old.ema)


def test_loss_falls(tmp_path):
  """Sixty steps on blobs halve the loss of two stages."""
  config = tiny_config(
      model={'num_stages': 2},
      train={'epochs': 1, 'pairs_per_epoch': 240, 'freeze_epochs': 0,
             'peak_lr': 1e-2, 'log_every': 10})
  trainer.train(config, tmp_path, [BlobSource()])
  losses = [row['loss'] for row in read_log(tmp_path / LOG_NAME)]
  assert losses[-1] < 0.5 * losses[0], losses


def test_a_checkpoint_without_a_score_is_known(tmp_path):
  """After kill -9 between the save and its validation."""
  log = tmp_path / 'metrics.jsonl'
  assert not trainer._is_unscored(tmp_path, 0)  # a new run
  assert trainer._is_unscored(tmp_path, 4)
  log.write_text('{"step": 4, "loss": 1.0}\n')
  assert trainer._is_unscored(tmp_path, 4)
  log.write_text(log.read_text() + '{"step": 4, "val_success_auc": 0.5}\n')
  assert not trainer._is_unscored(tmp_path, 4)
  assert trainer._is_unscored(tmp_path, 6)
