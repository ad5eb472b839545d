"""perf/designs.py: what it reads of a study, and what it makes of it."""

import json

import cv2
import jax
import pytest

from perf import contest, designs
from siamkpn_jax.checkpoints import weights
from siamkpn_jax.cli.command import execute
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.synthetic import split_seed, write_otb
from siamkpn_jax.models.siamkpn import build_model, init_variables
from tests.optional import import_or_skip
from tests.training.tiny import tiny_config


def write_result(study, name, seed, auc, videos='some'):
  folder = study / name / f'seed{seed}'
  folder.mkdir(parents=True)
  (folder / 'result.json').write_text(json.dumps({
      'config': {}, 'videos': videos, 'result': {
          'success_auc': auc, 'precision_20': auc + 0.25, 'skipped': 0}}))
  return folder


@pytest.fixture
def study(tmp_path):
  """Two variants; the baseline with three seeds, one with a single one."""
  for seed, auc in ((10, 0.75), (9, 0.5), (0, 0.25)):
    write_result(tmp_path, 'baseline', seed, auc)
  write_result(tmp_path, 'a=1', 2, 0.5)
  (tmp_path / 'a=1' / 'seed3').mkdir()  # not finished
  return tmp_path


def test_study(study):
  found = designs.read_study(study)
  assert list(found) == ['baseline', 'a=1']
  assert found['baseline'].folder == study / 'baseline' / 'seed0'
  assert found['baseline'].success_auc == (0.25, 0.5, 0.75)
  assert found['baseline'].precision_20 == (0.5, 0.75, 1.0)
  assert found['a=1'].success_auc == (0.5,)


def test_what_is_no_study(study, tmp_path):
  with pytest.raises(UserError, match='no finished training'):
    designs.read_study(tmp_path / 'a=1')
  (study / 'baseline').rename(tmp_path / 'base')
  with pytest.raises(UserError, match='no finished training of baseline'):
    designs.read_study(study)
  (tmp_path / 'base').rename(study / 'baseline')
  write_result(study, 'b=1', 0, 0.5, videos='others')
  with pytest.raises(UserError, match='b=1.*other videos than baseline'):
    designs.read_study(study)


def test_table(study, tmp_path):
  """Ratios are those of the same round; a peer has no scores here."""
  speeds = {'baseline': contest.Speeds([10.0, 20, 40], []),
            'a=1': contest.Speeds([20.0, 20, 20], []),
            'TrackerNano': contest.Speeds([10.0, 10, 10], [])}
  found = designs.read_study(study)
  count = {'baseline': 1200, 'a=1': 30}
  result = designs.summarize(found, count, speeds, 'baseline')
  result |= {'hardware': 'H', 'threads': 1, 'load_before_and_after': [0.5, 1],
             'rounds': 3, 'frames_per_turn': 2, 'versions': {'opencv': '4'}}
  lines = designs.report(result).splitlines()
  assert lines[0].endswith('| speed / baseline (quartiles) |')
  assert lines[2:5] == [
      '| baseline | 1,200 | 0.500 ± 0.250 | 0.750 ± 0.250 | 3 | 20 | '
      '1.00 (1.00 to 1.00) |',
      '| a=1 | 30 | 0.500 | 0.750 | 1 | 20 | 1.00 (0.75 to 1.50) |',
      '| TrackerNano | - | - | - | - | 10 | 0.50 (0.38 to 0.75) |']
  designs.save_plot(tmp_path / 'plot.png', result)
  assert cv2.imread(str(tmp_path / 'plot.png')) is not None


def test_command(tmp_path, capsys):
  """Networks of a study are read, and track in turns."""
  import_or_skip('onnxruntime', 'tracks in ONNX Runtime')
  names = write_otb(tmp_path / 'videos', seed=split_seed('test', 0), count=1,
                    length=4)
  counts = []
  for name, stages in (('baseline', 1), ('model.num_stages=2', 2)):
    config = tiny_config(model={'num_stages': stages})
    variables = init_variables(build_model(config.model), 0)
    counts.append(sum(x.size for x in jax.tree.leaves(variables['params'])))
    weights.save_model(write_result(tmp_path / 'study', name, 0, 0.5), config,
                       variables)
  assert counts[0] < counts[1]
  flags = [f'--study={tmp_path}/study', f'--output={tmp_path}/out',
           f'--data={tmp_path}/videos', f'--sequences={names[0]}',
           '--rounds=2', '--frames=2']
  assert execute(designs, flags, prog='x') == 0
  rows = json.loads((tmp_path / 'out' / 'designs.json').read_text())['designs']
  assert [row['parameters'] for row in rows.values()] == counts
  assert all(row['frames_per_second']['low'] > 0 for row in rows.values())
  assert (tmp_path / 'out' / 'designs.md').read_text() in (
      capsys.readouterr().out)
  assert (tmp_path / 'out' / 'designs.png').exists()
  assert execute(designs, [*flags, f'--models={tmp_path}'], prog='x') == 2
  assert 'no nanotrackv2_backbone.onnx' in capsys.readouterr().err
