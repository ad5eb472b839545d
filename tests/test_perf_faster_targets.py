"""perf/faster_targets.py: parts of sequences, and what is seen of them."""

import numpy as np
import pytest

from perf import faster_targets
from siamkpn_jax.cli.command import execute
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats.sequences import Video

FRAMES = [np.full((1, 1, 3), k, np.uint8) for k in range(20)]
BOXES = np.array([[10.0 + k, 20, 30, 40] for k in range(20)])


class Knowing:
  """Finds every box, and records the frames."""

  def __init__(self):
    self.seen = []

  def init(self, frame, box_xywh):
    del box_xywh
    self.seen.append([int(frame[0, 0, 0])])

  def update(self, frame):
    number = int(frame[0, 0, 0])
    self.seen[-1].append(number)
    return True, BOXES[number]


def video(boxes=BOXES):
  return Video('some', tuple(map(str, range(20))), boxes, origin=1)


def test_parts_begin_apart_and_leave_frames_out():
  tracker = Knowing()
  assert faster_targets.auc(tracker, video(), FRAMES, 3, 3) == (
      pytest.approx(20 / 21))  # of 21 thresholds, 1 is not exceeded
  assert tracker.seen == [
      [0, 3, 6, 9, 12, 15, 18], [4, 7, 10, 13, 16, 19], [8, 11, 14, 17]]


@pytest.mark.parametrize(('frame', 'every'), [(8, 1), (None, 6)])
def test_a_part_needs_a_box_and_frames(frame, every):
  boxes = BOXES.copy()
  if frame is not None:
    boxes[frame] = np.nan
  with pytest.raises(UserError, match='some, frame 9: expected a box, and 3'):
    faster_targets.auc(Knowing(), video(boxes), FRAMES, every, 3)


@pytest.mark.parametrize(('flags', 'words'), [
    (['--peer=TrackerNano'], 'without --models; see docs/'),
    (['--models=.'], 'give that as well'),
    (['--peer=TrackerMIL', '--tracking=size_lr=0.3'], 'leave them out')])
def test_a_peer_that_cannot_be_run(capsys, flags, words):
  assert execute(faster_targets, ['--data=none', *flags], prog='x') == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('error: ') and words in line
