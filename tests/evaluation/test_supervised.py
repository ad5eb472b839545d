"""The supervised runner, with trackers that do what they are told."""

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import regions
from siamkpn_jax.evaluation.formats.vot_sequences import (
  frame_size,
  load_vot,
  starting_box,
)
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.run import jobs, supervised
from siamkpn_jax.evaluation.run.protocol import FirstBoxTracker
from siamkpn_jax.tracking.one_target import OneTarget
from tests.evaluation import vot_files
from tests.reference import vot as reference

PROTOCOL = vot.Protocol('test', 'pysot', (5, 12), 'none')
ROWS = {'a': [[10.0 + i % 5, 10, 12, 12] for i in range(20)],
        'b': [[10, 10, 21, 10, 21, 21, 10, 21]] * 9}
LOST = [50, 30, 5, 5]


class _Scripted:
  """Gives the annotated box, but loses the target at given frames."""

  def __init__(self, lost=()):
    self.lost = lost
    self.calls = []

  def init(self, frame, box_xywh):
    self.calls.append(('init', int(frame[0, 0, 0]), box_xywh.tolist()))
    box_xywh[:] = -1  # a tracker may spoil what it is given

  def update(self, frame):
    number = int(frame[0, 0, 0])
    self.calls.append(('update', number))
    return True, np.array(LOST if number in self.lost else
                          [10 + number % 5, 10, 12, 12])


@pytest.fixture
def sequences(tmp_path):
  return load_vot(vot_files.write_folder(tmp_path / 'vot', ROWS))


def _run(tracker, sequences, out):
  """Runs what is left, and scores."""
  supervised.check_images(sequences)
  planned = supervised.supervised_jobs(sequences, out, PROTOCOL)
  jobs.run_jobs(OneTarget(tracker), jobs.unfinished(planned), progress=False)
  runs = {job.task.name: [job.check()] for job in planned}
  return vot.score(sequences, runs, PROTOCOL), jobs.update_speed(planned)


@pytest.mark.parametrize('lost, codes', [
    ((), '1...................'),
    ((1,), '12' '0000' '1.............'),
    ((4, 12), '1...2' '0000' '1..2' '0000' '1..'),
    # Frames in which it is not asked; a start at the last frame; none left.
    ((4, 6, 8, 14), '1...2' '0000' '1....2' '00001'),
    ((15,), '1..............2' '0000'),
    ((19,), '1..................2')])
def test_markers_and_calls(sequences, tmp_path, lost, codes):
  tracker = _Scripted(lost)
  _run(tracker, sequences[:1], tmp_path / 'out')
  path = tmp_path / 'out' / 'baseline' / 'a' / 'a_001.txt'
  found = regions.read_trajectory(path).rows()
  assert ''.join('.' if len(r) == 4 else str(int(r[0])) for r in found) == codes
  starts = [i for i, c in enumerate(codes) if c == '1']
  updates = [i for i, c in enumerate(codes) if c in '.2']
  assert [c[1] for c in tracker.calls if c[0] == 'init'] == starts
  assert [c[1] for c in tracker.calls if c[0] == 'update'] == updates
  assert [c[2] for c in tracker.calls if c[0] == 'init'] == [
      ROWS['a'][i] for i in starts]
  assert found[3:4] in ([[13, 10, 12, 12]], [[0]])


@pytest.mark.parametrize('nowhere', [
    [900, 900, 5, 5], [1, 1, 9, 1, 9, 1, 1, 1]])
def test_starts_again_where_there_is_something(tmp_path, nowhere):
  """A region outside the image, or without area, is no reason to end."""
  rows = ROWS['a'][:9] + [nowhere] * 2 + ROWS['a'][11:]
  (sequence,) = load_vot(vot_files.write_folder(tmp_path / 'vot', {'a': rows}))
  tracker = _Scripted((4,))
  _run(tracker, [sequence], tmp_path / 'out')
  path = tmp_path / 'out' / 'baseline' / 'a' / 'a_001.txt'
  codes = [row[0] for row in regions.read_trajectory(path).rows()
           if len(row) == 1]
  assert codes == [1, 2, *[0] * 6, 1]
  assert [c[1] for c in tracker.calls if c[0] == 'init'] == [0, 11]


def test_polygons_start_from_their_box(sequences, tmp_path):
  tracker = _Scripted()
  _run(tracker, sequences[1:], tmp_path / 'out')
  assert tracker.calls[0] == ('init', 0, [10, 10, 12, 12])


def test_score_and_times_of_the_files(sequences, tmp_path):
  out = tmp_path / 'out'
  scores, speed = _run(_Scripted((4,)), sequences, out)
  assert scores['failures'] == 2 and speed > 0
  assert vot.score_results(tmp_path / 'vot', out, PROTOCOL) == scores
  times = (out / 'baseline' / 'b' / 'b_001_time.value').read_text().split('\n')
  assert len(times) == 10 and times[5:9] == [''] * 4  # waiting, 4 frames


def test_what_just_overlaps_is_no_failure():
  truth = regions.from_rows([[10, 10, 13, 12]])  # its last column is 22
  toolkit = vot.find_protocol('vot2018_vot-toolkit')
  for protocol, last in ((toolkit, 22), (PROTOCOL, 21)):
    assert not supervised._failed([last, 10, 9, 9], truth, (60, 40), protocol)
    assert supervised._failed([last + 1, 10, 9, 9], truth, (60, 40), protocol)


def test_wrong_sequences(tmp_path):
  bare = load_vot(vot_files.write_json(tmp_path / 'bare' / 'v.json', ROWS))
  with pytest.raises(UserError, match='no images for 2 sequences: a, b;'):
    _run(_Scripted(), bare, tmp_path / 'out')
  flat = {'c': [[1, 1, 9, 1, 9, 1, 1, 1]] * 2}
  with pytest.raises(UserError, match='sequence c: the first region has no'):
    _run(_Scripted(), load_vot(vot_files.write_folder(tmp_path / 'c', flat)),
         tmp_path / 'out2')


@pytest.mark.realdata
def test_a_real_sequence_fails_where_the_loops_say(real_data, tmp_path):
  bag = real_data / 'sequences' / 'vot_bag'
  folder = tmp_path / 'vot' / 'bag'
  folder.mkdir(parents=True)
  count = 70  # frames: the loops are slow
  lines = (bag / 'groundtruth.txt').read_text().splitlines()[:count]
  (folder / 'groundtruth.txt').write_text('\n'.join(lines))
  (folder / 'color').mkdir()
  for image in sorted((bag / 'img').iterdir())[:count]:
    (folder / 'color' / image.name).symlink_to(image)
  (folder.parent / 'list.txt').write_text('bag')
  (sequence,) = load_vot(folder.parent)
  width, height = frame_size(sequence)

  _run(FirstBoxTracker(), [sequence], tmp_path / 'out')
  found = regions.read_trajectory(
      tmp_path / 'out' / 'baseline' / 'bag' / 'bag_001.txt').rows()
  start, failures = 0, 0
  for i, (row, truth) in enumerate(zip(found, sequence.truth.rows(),
                                       strict=True)):
    if i <= start:
      assert row == [int(i == start)]
      box = list(starting_box(truth))
    elif reference.pysot_overlap(box, truth, width, height) > 0:
      assert row == pytest.approx(box, abs=1e-4)
    else:
      assert row == [2]
      start, failures = i + 5, failures + 1
  assert failures > 0
