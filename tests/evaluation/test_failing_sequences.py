"""What is damaged, and spoils nothing else: sequences, results, times."""

import json
import re
import shutil

import pytest

from siamkpn_jax.core.errors import UserError
from tests.evaluation import vot_files
from tests.evaluation.runs import BOXES, got10k, run

FAULTS = {
    'one frame': (BOXES[:1], 'has one frame'),
    'huge': ([[1, 2, 1e5, 1e5], *BOXES[1:]], 'frame 1: cannot start'),
    'outside': ([[1000.0, 5, 9, 9], *BOXES[1:]], 'frame 1: cannot start'),
    'no area': ([[4, 5, 0, 8], *BOXES[1:]], 'the first box has no area'),
    'text': ([['x', 5, 8, 8], *BOXES[1:]], 'is not a box'),
    'infinite': ([BOXES[0], [1, 2, 1e999, 4]], 'is not a box'),
    'image': (BOXES, 'cannot be'),
    'count': (BOXES[:4], '6 images in .* but 4 boxes')}


@pytest.mark.parametrize('fault', FAULTS)
def test_one_bad_sequence_spoils_no_other(make_sequence, tmp_path, fault):
  """It is named, the others are tracked and scored; repaired, it runs alone."""
  boxes, why = FAULTS[fault]
  bad = make_sequence('Bad', boxes, frames=6 if fault == 'count' else None)
  root, out = make_sequence('Ball', BOXES).parent, tmp_path / 'out'
  if fault == 'image':
    (bad / 'img' / '0004.png').write_bytes(b'damaged')
  summary, _ = run('otb', root, out)
  assert re.search(why, summary['failed']['Bad'])
  assert list(summary['sequences']) == ['Ball']
  assert summary['num_sequences'] == 1 and summary['success_auc'] > 0
  assert re.search(f'not scored, as it failed: Bad: .*{why}',
                   summary['notes'][0])
  assert json.loads((out / 'summary.json').read_text()) == summary
  assert not (out / 'Bad.txt').exists()

  shutil.rmtree(bad)
  make_sequence('Bad', BOXES)
  summary, tracker = run('otb', root, out)
  assert 'failed' not in summary and tracker.updates == 5
  assert not list(out.glob('*.failed')) and len(summary['sequences']) == 2


def test_all_are_bad(make_sequence, tmp_path):
  root = make_sequence('A', FAULTS['huge'][0]).parent
  make_sequence('B', BOXES[:1])
  with pytest.raises(UserError, match=r'B: has one frame.*\(and 1 more seq'):
    run('otb', root, tmp_path / 'out')


def test_a_bad_sequence_in_another_shard(make_sequence, tmp_path):
  """The last shard scores without it."""
  make_sequence('A', FAULTS['huge'][0])
  root, out = make_sequence('B', BOXES).parent, tmp_path / 'out'
  summaries = [run('otb', root, out, shard=(k, 2))[0] for k in range(2)]
  assert summaries[0] is None and list(summaries[1]['failed']) == ['A']


@pytest.mark.parametrize('subset', ['val', 'test'])
def test_got10k_with_a_bad_sequence(tmp_path, subset):
  """An incomplete submission is not packed."""
  rows = BOXES if subset == 'val' else BOXES[:1]
  data = got10k(tmp_path, subset, ['v_1', 'v_2', 'v_3'], rows)
  (data / subset / 'v_2' / 'meta_info.ini').write_text('resolution: (0, 0)\n')
  (data / subset / 'v_3' / '00000002.jpg').write_bytes(b'')
  summary, _ = run('got10k', data, tmp_path / 'out')
  assert list(summary['failed']) == ['v_2', 'v_3']
  assert summary['num_sequences'] == 1 and 'submission' not in summary
  assert not (tmp_path / 'out' / 'submission.zip').exists()


def test_vot_with_bad_sequences(tmp_path):
  """No images, an annotation that cannot be read, a first region outside."""
  rows = [[10.0, 10, 12, 12]] * 9
  root = vot_files.write_folder(tmp_path / 'more', {
      'a': rows, 'b': rows, 'c': rows, 'd': rows, 'e': rows[:1]})
  for path in (root / 'b').rglob('*.png'):
    path.unlink()
  (root / 'c' / 'groundtruth.txt').write_text('1,2,3\n')
  (root / 'd' / 'groundtruth.txt').write_text('500,9,9,9\n' * 9)
  (root / 'd' / 'sequence').unlink()
  summary, _ = run('vot2018', root, tmp_path / 'out')
  assert sorted(summary['failed']) == [*'bcde']
  assert list(summary['sequences']) == ['a']


def test_a_name_that_is_taken(make_sequence, tmp_path):
  root = make_sequence('settings', BOXES).parent
  with pytest.raises(UserError, match='sequence settings: this name is used'):
    run('otb', root, tmp_path / 'out')


def test_damaged_times_cost_the_speed_alone(make_sequence, tmp_path):
  root, out = make_sequence('Ball', BOXES).parent, tmp_path / 'out'
  run('otb', root, out)
  (out / 'times' / 'Ball.txt').write_text('0.1\n0.1\nx\n')
  summary, tracker = run('otb', root, out)
  assert summary['frames_per_second'] is None and tracker.updates == 0
  (out / 'times' / 'Ball.txt').unlink()
  summary, tracker = run('otb', root, out)
  assert summary['frames_per_second'] > 0 and tracker.updates == 5


def test_damaged_result_is_named_not_overwritten(make_sequence, tmp_path):
  root, out = make_sequence('Ball', BOXES).parent, tmp_path / 'out'
  run('otb', root, out)
  (out / 'Ball.txt').write_text('1,2,3,4\n')
  with pytest.raises(UserError, match=r'Ball.txt: 1 boxes, .* or delete'):
    run('otb', root, out)
  assert (out / 'Ball.txt').read_text() == '1,2,3,4\n'
