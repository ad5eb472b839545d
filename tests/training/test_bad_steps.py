"""What is said of skipped steps, and when a run ends because of them."""

import math
import re

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.training import trainer
from siamkpn_jax.training.bad_steps import BadSteps, reason
from siamkpn_jax.training.metrics import LOG_NAME, read_log
from tests.training.tiny import BlobSource, tiny_config

GOOD = {'loss': 3.0, 'heatmap': 1.0, 'size': 2.0, 'stage1/heatmap': 1.0,
        'stage1/size': 1.5, 'stage2/heatmap': 1.0, 'stage2/size': 2.5,
        'grad_norm': 4.0, 'learning_rate': 0.00125}
BAD = GOOD | {'loss': math.nan, 'size': math.nan, 'stage2/size': math.nan}


class Unread:
  """A number on the device that nobody may ask for."""

  def __float__(self):
    raise AssertionError('read')


def watch(steps, **kwargs):
  """A watch that has seen steps, numbered from 11; 5 were skipped before."""
  settings = {'batch_size': 8, 'max_loss': 1e4, 'max_skipped': 0} | kwargs
  watched = BadSteps(10, 5, **settings)
  for k, (metrics, skipped) in enumerate(steps):
    watched.add(11 + k, metrics | {'skipped': np.int32(skipped)})
  return watched


@pytest.mark.parametrize(('changes', 'expected'), [
    ({'stage2/size': math.nan, 'stage1/heatmap': math.inf, 'loss': math.nan},
     'stage1/heatmap is inf, stage2/size is nan'),
    ({'loss': 2e4, 'stage2/size': 3e4},
     r'its loss 2e\+04 exceeds config.train.max_loss 10000, '
     r'mostly due to stage2/size, 3e\+04'),
    ({'loss': math.inf}, 'its loss inf exceeds .* stage2/size, 2.5'),
    ({'grad_norm': math.nan}, 'its gradient is nan, with finite losses')])
def test_reason(changes, expected):
  assert re.fullmatch(expected, reason(GOOD | changes, 1e4))


def test_silent_without_skips():
  """And nothing but the count is read."""
  unread = dict.fromkeys(GOOD, Unread())
  assert watch([(unread, 5), (unread, 5)]).report() == ''


def test_the_last_skipped_step_is_named():
  """One line for all of them; what was reported is not reported again."""
  watched = watch([(GOOD, 5), (BAD, 6), (GOOD | {'loss': 2e4}, 7), (GOOD, 7)])
  line = watched.report()
  assert line.startswith(
      '2 of the last 4 steps skipped, step 13 because its loss 2e+04 exceeds')
  assert '(learning rate 0.00125, pairs 96 to 103)' in line
  assert '\n' not in line
  watched.add(15, GOOD | {'skipped': np.int32(7)})
  assert watched.report() == ''
  watched.add(16, BAD | {'skipped': np.int32(8)})
  assert watched.report().startswith(
      '1 of the last 1 steps skipped, step 16 because stage2/size is nan (')


def test_too_many():
  """More than the limit between two reports."""
  steps = [(BAD, 6), (BAD, 7), (GOOD, 7)]
  assert '2 of the last 3' in watch(steps, max_skipped=2).report()
  with pytest.raises(UserError, match=(
      '^2 of the last 3 steps skipped, step 12 because stage2/size is nan .*'
      'max_skipped = 1: train in another --workdir with a lower')) as info:
    watch(steps, max_skipped=1).report()
  assert '\n' not in str(info.value)


def test_a_run_ends(tmp_path, capsys):
  """With a limit at the second report, whose line is in the log; else never."""
  config = tiny_config(
      train={'max_loss': 1e-6, 'log_every': 3, 'freeze_epochs': 2})
  state = trainer.train(config, tmp_path / 'all', [BlobSource()])
  assert state.skipped == 6
  said = [line for line in capsys.readouterr().err.splitlines()
          if 'skipped' in line]
  assert [line.split(' steps')[0] for line in said] == [
      '1 of the last 1', '2 of the last 2', '3 of the last 3']
  assert all('exceeds config.train.max_loss 1e-06' in line for line in said)
  config = config.updated(train={'max_skipped': 1})
  with pytest.raises(UserError, match='2 of the last 2 steps .* step 3'):
    trainer.train(config, tmp_path / 'limit', [BlobSource()])
  assert [row['step'] for row in read_log(tmp_path / 'limit' / LOG_NAME)] == [
      1, 3]
