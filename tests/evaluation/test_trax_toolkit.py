"""The vot-toolkit drives our server on short parts of real sequences."""

import shutil

import numpy as np
import pytest

from siamkpn_jax import trax
from siamkpn_jax.checkpoints.packaged import packaged_weights
from siamkpn_jax.core.images import read_image
from siamkpn_jax.evaluation.formats import regions, vot_results
from siamkpn_jax.evaluation.formats.sequences import load_otb
from siamkpn_jax.evaluation.formats.vot_sequences import load_vot, starting_box
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.tracking.load import load_tracker
from tests.evaluation import vot_files, vot_toolkit

# A crop is of whole pixels: rounded otherwise than in the server's process, a
# box may move the next crop by one.
pytestmark = [pytest.mark.slow, pytest.mark.realdata,
              pytest.mark.usefixtures('optimized')]
pytest.importorskip('trax', reason="needs vot-trax: pip install '.[vot]'")

PROTOCOL = vot.Protocol('test', 'vot-toolkit', (10, 40), 'none')
PARTS = {'vot_bag': (0, 60), 'Crossing': (20, 90), 'Skiing': (0, 81)}


# With these the packaged model loses the skier.
LOSING = {'penalty_k': 0.5, 'window_influence': 0.56, 'size_lr': 0.09,
          'search_size': 175}


@pytest.fixture
def weights(tmp_path):
  """The packaged model; a name with a blank."""
  path = tmp_path / 'my weights' / 'nano.safetensors'
  path.parent.mkdir()
  shutil.copyfile(packaged_weights()['kpn3s_nano'], path)
  return path


def _write_sequences(real_data, root):
  """Parts of real sequences in the toolkit's layout: polygons and boxes."""
  for sequence in load_otb(real_data / 'sequences', names=list(PARTS),
                           zero_based=['vot_*']):
    first, last = PARTS[sequence.name]
    frames = sequence.frames[first:last]
    truth = sequence.boxes_xywh[first:last].tolist()
    polygons = frames[0].parents[1] / 'groundtruth.txt'
    if polygons.exists():
      truth = regions.read_truth(polygons)[first:last].rows()
    height, width = read_image(frames[0]).shape[:2]
    vot_files.write_folder(root, {sequence.name: truth}, images=False,
                           size=(width, height))
    (root / sequence.name / 'color').mkdir()
    for i, frame in enumerate(frames, start=1):
      shutil.copyfile(frame, root / sequence.name / 'color' / f'{i:08d}.jpg')
  (root / 'list.txt').write_text('\n'.join(PARTS) + '\n')


def _check_boxes(tracker, sequence, run):
  """The boxes of a run are those of the tracker; starts and failures fit."""
  start = 0
  for i, (row, frame) in enumerate(zip(run.rows(), sequence.frames,
                                       strict=True)):
    if i < start:
      assert row == [regions.UNKNOWN]
      continue
    if i == start:
      assert row == [regions.STARTED]
      tracker.init(read_image(frame), starting_box(sequence.truth.rows()[i]))
      continue
    image = read_image(frame)
    _, box = tracker.update(image)
    overlaps = vot.region_overlaps(
        regions.from_rows([box]), sequence.truth[i:i + 1],
        image.shape[1::-1], PROTOCOL.rule)
    if overlaps[0] > 0:
      # Four decimals are sent; the toolkit keeps float32.
      np.testing.assert_allclose(row, box, rtol=0, atol=1e-3)
    else:
      assert row == [regions.FAILED]
      start = i + PROTOCOL.skip


@pytest.mark.filterwarnings('default')  # of Orbax
def test_evaluation(toolkit, tmp_path, real_data, weights):
  workspace = tmp_path / 'workspace'
  _write_sequences(real_data, workspace / 'sequences')
  vot_toolkit.write_workspace(workspace, PROTOCOL.window)
  assert trax.main([
      '--weights', str(weights), '--trackers_ini',
      str(workspace / 'trackers.ini'), '--label', 'ours', '--tracking',
      ','.join(f'{key}={value}' for key, value in LOSING.items())]) == 0

  # The toolkit's exit code is 0 in any case.
  said = vot_toolkit.vot(toolkit, workspace, 'test', 'ours')
  assert 'Test concluded successfuly' in said, said[-2000:]
  said = vot_toolkit.vot(toolkit, workspace, 'evaluate', 'ours')
  assert 'Evaluation concluded successfuly' in said, said[-2000:]
  theirs = vot_toolkit.analyze(toolkit, workspace, ['ours'])['ours']

  results = workspace / 'results' / 'ours'
  vot_toolkit.assert_equal(
      vot.score_results(workspace / 'sequences', results, PROTOCOL), theirs)
  assert theirs['failures'] > 0 and theirs['eao'] > 0 < theirs['accuracy']
  sequences = load_vot(workspace / 'sequences')
  tracker = load_tracker(weights, engine='jax', **LOSING)
  for name, runs in vot_results.read_runs(sequences, results).items():
    assert len(runs) == 3, name  # the same three times: the toolkit stops
    sequence, = (s for s in sequences if s.name == name)
    for run in runs:
      _check_boxes(tracker, sequence, run)
