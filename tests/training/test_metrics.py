"""The log of a run: what is read back, and what a resumed run keeps."""

import json

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.training.metrics import (
  AUC,
  LOG_NAME,
  SCORED,
  MetricWriter,
  best_validation,
  read_log,
)
from tests.limits import files_of_at_most


def write(workdir, start, steps):
  with MetricWriter(workdir, start) as writer:
    for step in steps:
      writer.write(step, {'loss': step / 8, 'stage1/heatmap': 2.0})


def steps(workdir):
  return [row['step'] for row in read_log(workdir / LOG_NAME)]


def test_rows_are_read_back(tmp_path):
  write(tmp_path, 0, [1, 2])
  assert read_log(tmp_path / LOG_NAME) == [
      {'step': 1, 'loss': 0.125, 'stage1/heatmap': 2.0},
      {'step': 2, 'loss': 0.25, 'stage1/heatmap': 2.0}]


def test_rows_are_on_disk_at_once(tmp_path):
  with MetricWriter(tmp_path, 0) as writer:
    writer.write(1, {'loss': 1.0})
    assert steps(tmp_path) == [1]


def test_no_log_yet(tmp_path):
  assert read_log(tmp_path / LOG_NAME) == []


@pytest.mark.parametrize(('start', 'kept'), [
    (0, []), (4, [1, 2, 4]), (5, [1, 2, 4]), (6, [1, 2, 4, 6]), (99, [
        1, 2, 4, 6, 8])])
def test_resume_removes_rows_of_later_steps(tmp_path, start, kept):
  """They are of steps after the last checkpoint, which are done again."""
  write(tmp_path, 0, [1, 2, 4, 6, 8])
  write(tmp_path, start, [])
  assert steps(tmp_path) == kept
  write(tmp_path, start, [start + 1])
  assert steps(tmp_path) == [*kept, start + 1]


@pytest.mark.parametrize('cut', range(1, 40, 6))
def test_half_written_last_line(tmp_path, cut):
  """A killed run leaves any part of a line; a resumed one is whole again."""
  write(tmp_path, 0, [1, 2, 3])
  log = tmp_path / LOG_NAME
  log.write_text(log.read_text()[:-cut])
  expected = [1, 2, 3] if cut == 1 else [1, 2]  # 1: only the line's end
  assert steps(tmp_path) == expected
  write(tmp_path, 2, [3, 4])
  assert steps(tmp_path) == [1, 2, 3, 4]
  assert [json.loads(line)['step'] for line in log.read_text().splitlines()
          ] == [1, 2, 3, 4]


@pytest.mark.parametrize('line', [
    '', '[]', 'null', '{', '[' * 100_000, '{"step": "2"}', '{"step": true}',
    '{"step": 1.5}', '{"step": -1}', f'{{"step": 1{"0" * 400}}}',
    f'{{"step": 2, "x": {"[" * 300 + "]" * 300}}}', '{"loss": 1}'])
def test_a_damaged_line_costs_no_other(tmp_path, capsys, line):
  """And is told when the log is written again."""
  write(tmp_path, 0, [1, 2, 3])
  log = tmp_path / LOG_NAME
  first, *rest = log.read_text().splitlines()
  log.write_text('\n'.join([first, line, *rest]) + '\n')
  assert steps(tmp_path) == [1, 2, 3]
  write(tmp_path, 3, [4])
  assert 'metrics.jsonl: 1 lines' in capsys.readouterr().err
  assert steps(tmp_path) == [1, 2, 3, 4]


def test_only_numbers_are_numbers(tmp_path):
  """Infinite ones are: a loss may become so. Others are gaps."""
  (tmp_path / LOG_NAME).write_text(json.dumps({
      'step': 1, 'loss': float('inf'), 'val_success_auc': 'x', 'a': None,
      'b': [1], 'c': True, 'd': 2}))
  rows = read_log(tmp_path / LOG_NAME)
  nan = float('nan')
  np.testing.assert_equal(rows, [{
      'step': 1, 'loss': float('inf'), 'val_success_auc': nan, 'a': nan,
      'b': nan, 'c': nan, 'd': 2}])
  assert best_validation(rows) is None


def test_best_of_the_same_sequences():
  """A mean without the hardest one is no progress."""
  rows = [{'step': step, AUC: auc, SCORED: count}
          for step, auc, count in ((1, 0.9, 6), (2, 0.6, 5), (3, 0.5, 5))]
  assert best_validation(rows) == (2, 0.6)
  assert best_validation(rows[:1]) == (1, 0.9)
  again = {'step': 4, AUC: 0.7, SCORED: 6}  # step 1 may be deleted by now
  assert best_validation([*rows, again]) == (4, 0.7)


def test_tensorboard_files(tmp_path):
  write(tmp_path, 0, [1, 2])
  write(tmp_path, 2, [3])
  events = list((tmp_path / 'tensorboard').glob('events.out.tfevents.*'))
  assert events and all(file.stat().st_size > 0 for file in events)
  assert b'stage1/heatmap' in b''.join(file.read_bytes() for file in events)


def test_closed_after_an_error(tmp_path):
  writer = MetricWriter(tmp_path, 0)
  with pytest.raises(KeyError), writer:
    writer.write(1, {'loss': 1.0})
    raise KeyError
  assert steps(tmp_path) == [1]
  with pytest.raises(ValueError, match='closed'):
    writer.write(2, {'loss': 1.0})


@pytest.mark.parametrize('name', [LOG_NAME, 'tensorboard'])
def test_no_room(tmp_path, name):
  """The call that meets it says so, and neither it nor the end hangs."""
  path = tmp_path / name
  with pytest.raises(UserError) as info, MetricWriter(tmp_path, 0) as writer:
    for step in range(20):
      writer.write(step, {'loss': 1.0})
    file = path if path.is_file() else next(path.iterdir())
    # Of one step, there is less in the log than in TensorBoard's file.
    with files_of_at_most(file.stat().st_size):
      writer.write(20, {'loss': 1.0})
  assert str(info.value).startswith(
      f'{path}: cannot be written (File too large); expected')


def test_log_is_kept_where_it_cannot_be_rewritten(tmp_path):
  write(tmp_path, 0, [1, 2, 3])
  with files_of_at_most(10), pytest.raises(UserError, match=LOG_NAME):
    MetricWriter(tmp_path, 2)
  assert steps(tmp_path) == [1, 2, 3]
