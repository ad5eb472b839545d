"""The commands on real video, with a real (if untrained) checkpoint."""

import json
import shutil

import numpy as np
import pytest

from siamkpn_jax.checkpoints.manager import Checkpoints
from siamkpn_jax.datasets import catalog
from siamkpn_jax.models.siamkpn import init_variables
from siamkpn_jax.training import trainer
from siamkpn_jax.training.state import init_state, to_items
from tests.training.tiny import tiny_config

pytestmark = pytest.mark.realdata


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
  """Workdir with a checkpoint of a tiny untrained network."""
  config, workdir = tiny_config(), tmp_path_factory.mktemp('weights')
  step_fn = trainer.build_step(config)
  state = init_state(init_variables(step_fn.model, 0), step_fn.optimizer)
  with Checkpoints(workdir, config, keep=1) as checkpoints:
    checkpoints.save(0, to_items(state))
  return workdir


@pytest.fixture
def run(command):
  def check(name, *flags):
    done = command(name, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout
  return check


@pytest.mark.slow
def test_evaluate_every_sequence(run, real_data, weights, tmp_path):
  """All twelve sequences are tracked from end to end and scored."""
  out = run('evaluate', '--benchmark=otb', f'--data={real_data / "sequences"}',
             f'--weights={weights}', f'--output={tmp_path}',
             '--zero_based=davis_*,uav_*,vot_*')
  summary = json.loads((tmp_path / 'summary.json').read_text())
  assert summary['num_sequences'] == 12
  assert 0 < summary['success_auc'] < 1
  for name, row in summary['sequences'].items():
    boxes = np.loadtxt(tmp_path / f'{name}.txt', delimiter=',')
    assert boxes.shape == (row['frames'], 4) and np.isfinite(boxes).all()
    assert name in out


@pytest.mark.slow
def test_the_weights_in_the_package_track(run, real_data, tmp_path):
  """Two of the twelve sequences of MODEL_CARD.md: 0.749 and 0.775 there."""
  run('evaluate', '--benchmark=otb', f'--data={real_data / "sequences"}',
       '--sequences=Human7,vot_bag', f'--output={tmp_path}',
       '--zero_based=vot_*')
  summary = json.loads((tmp_path / 'summary.json').read_text())
  assert summary['success_auc'] > 0.72


@pytest.mark.slow
def test_long_term_tracking_keeps_a_target_of_low_scores(run, real_data,
                                                         tmp_path):
  """Skiing: 0.54 with the mode, 0.55 without, 0.13 where it is lost."""
  run('evaluate', '--benchmark=otb', f'--data={real_data / "sequences"}',
      '--sequences=Skiing', '--long-term', f'--output={tmp_path}')
  summary = json.loads((tmp_path / 'summary.json').read_text())
  assert summary['success_auc'] > 0.45


@pytest.mark.parametrize(('name', 'box', 'frames'), [
    ('bag.avi', '254,110,145,138', 196),
    ('davis_tennis', '300,200,100,200', 70)])
def test_track_without_ground_truth(run, real_data, weights, tmp_path, name,
                                    box, frames):
  """A video file and a folder of images: the boxes alone."""
  run('track', f'--input={real_data / "sequences" / "_demo_no_gt" / name}',
       f'--box={box}', f'--weights={weights}', f'--boxes={tmp_path}/boxes.txt')
  boxes = np.loadtxt(tmp_path / 'boxes.txt', delimiter=',')
  assert boxes.shape == (frames, 4)
  assert boxes[0].tolist() == [float(v) for v in box.split(',')]


@pytest.mark.slow
def test_train_on_images_and_on_crops(real_data, tmp_path):
  """COCO as it is shipped, beside a crop511 folder; the loss is a number."""
  for name, folder in (('coco', 'stills/coco_train'),
                       ('crops', 'train/davis16val')):
    shutil.copytree(real_data / folder, tmp_path / name)
  config = tiny_config(
      data={'sets': ('coco', 'crops'), 'ratios': (1.0, 1.0),
            'ranges': (0, 30), 'root': str(tmp_path)},
      train={'epochs': 1, 'pairs_per_epoch': 8})
  sources = catalog.open_sources(config.data, config.seed)
  assert [s.kind for s in sources] == ['coco', 'crop511']
  assert [s.num_tracks for s in sources] == [929, 18]
  state = trainer.train(config, tmp_path / 'run', sources)
  assert int(state.step) == 2 and int(state.skipped) == 0
