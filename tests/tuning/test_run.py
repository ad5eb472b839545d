"""The whole command with a trial runner whose best is known."""

import dataclasses
import functools
import json
import shutil
from pathlib import Path

import cv2
import jax
import numpy as np
import pytest

from siamkpn_jax.checkpoints import weights
from siamkpn_jax.checkpoints.weights_file import save_weights_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation import scoring
from siamkpn_jax.evaluation.formats import regions, results, vot_results
from siamkpn_jax.models.siamkpn import build_model, init_variables
from siamkpn_jax.tuning import data as tuning_data
from siamkpn_jax.tuning import plots, report, run
from siamkpn_jax.tuning.search import SearchPlan
from siamkpn_jax.tuning.trial_runner import TrialParams
from tests.evaluation import vot_files
from tests.training.tiny import tiny_config
from tests.tuning.fakes import OPTIMUM, Killed

ROOT = Path(__file__).parents[2]
PLAN = SearchPlan(step=0.25, budget=40, batch=30)
SAVE_TUNED, SAVE_PLOT = run.save_tuned, plots.save_plot


@pytest.fixture(scope='module')
def weights_folder(tmp_path_factory):
  """A run with three checkpoints, of which 9 is worse than 10."""
  folder = tmp_path_factory.mktemp('run')
  config = tiny_config()
  variables = init_variables(build_model(config.model), 0)
  weights.save_model(folder, config, variables)
  for step in ('9', '10'):
    shutil.copytree(folder / 'checkpoints' / '0', folder / 'checkpoints' / step)
  return folder


@pytest.fixture
def videos(tmp_path):
  """Six sequences of noise in OTB layout, two with names of OTB-100."""
  rng = np.random.default_rng(0)
  for k, name in enumerate(('Basketball', 'Jogging-1', 'a', 'b', 'c', 'd')):
    folder = tmp_path / 'otb' / name / 'img'
    folder.mkdir(parents=True)
    for i in range(4 + k):
      cv2.imwrite(str(folder / f'{i + 1:04d}.jpg'),
                  rng.integers(0, 255, (40, 60, 3), np.uint8))
    (folder.parent / 'groundtruth_rect.txt').write_text(
        '11,9,20,16\n' * (4 + k))
  return tmp_path / 'otb'


class _Runner:
  """Beside the annotation by as much as what it is asked is beside the best."""

  left = None  # calls until it is killed; None: never

  def __init__(self, checkpoint, found):
    self._offset = 3.0 if checkpoint.name == '9' else 0.0
    self._found = found

  def __call__(self, asked, sequence_index):
    if _Runner.left is not None:
      if not _Runner.left:
        raise Killed
      _Runner.left -= 1
    return [self.track(s, sequence_index) for s in asked]

  def track(self, hyperparameters, index):
    numbers = np.array(dataclasses.astuple(hyperparameters))
    beside = np.abs(numbers - OPTIMUM).sum()
    beside = beside * (8 + index % 2) + self._offset
    video = self._found.videos[index]
    if self._found.vot_protocol is None:
      return video.boxes_xywh + np.array([beside, beside / 2, 0, 0])
    rows = [[row[0] + beside, *row[1:4]] for row in video.truth.rows()]
    rows[0] = [regions.STARTED]
    if beside > 5:
      rows[8] = [regions.FAILED]
      rows[9:13], rows[13] = [[regions.UNKNOWN]] * 4, [regions.STARTED]
    return regions.from_rows(rows)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
  """Nothing is killed, drawn or saved, unless a test says so."""
  _Runner.left = None
  monkeypatch.setattr(plots, 'save_plot', lambda *args: None)
  monkeypatch.setattr(run, 'save_tuned', lambda *args: None)


def _request(tmp_path, videos, weights_folder, **options):
  options = {'benchmark': 'otb', 'data': videos, 'weights': (weights_folder,),
             'output': tmp_path / 'out', 'plan': PLAN} | options
  return run.TuningRequest(**options)


def _run(*args, **options):
  return run.run(_request(*args, **options), _Runner, progress=False)


def _beside(found):
  return np.abs(np.array(list(found.values())) - OPTIMUM).max()


@pytest.mark.slow
def test_result(tmp_path, videos, weights_folder, capsys, monkeypatch):
  monkeypatch.setattr(plots, 'save_plot', SAVE_PLOT)
  result = _run(tmp_path, videos, weights_folder, last=2,
                plan=SearchPlan(step=0.25))
  output = tmp_path / 'out'
  assert json.loads((output / 'result.json').read_text()) == result
  assert _beside(result['hyperparameters']) <= 0.026  # a fine step
  assert result['checkpoint'].endswith('checkpoints/10')
  assert result['overrides'] == ' '.join(
      f'--config.tracking.{k}={v:g}'
      for k, v in result['hyperparameters'].items())
  assert result['metric'] == 'success_auc' and result['protocol'] == 'otb'
  assert result['baseline']['hyperparameters'] == {
      'penalty_k': 0.1, 'window_influence': 0.54, 'size_lr': 0.59}
  assert len(result['baselines']) == 2
  assert result['baseline']['score'] < result['score'] == (
      result['top'][0]['score'])
  scores = [row['score'] for row in result['top']]
  assert len(scores) <= 20 and scores == sorted(scores, reverse=True)
  assert 2 * 65 < result['num_trials'] <= 2 * 65 + 11 ** 3
  assert 0 < result['num_pruned'] < result['num_trials']
  assert (result['num_sequences'], result['num_frames']) == (6, 39)
  assert '2 of these 6 sequences are of OTB-100' in result['warning']
  assert result['warning'] in capsys.readouterr().err
  assert cv2.imread(str(output / 'hyperparameters.png')) is not None
  table = report.table(result)
  assert table.count('\n') == len(scores) + 2
  assert f'{result["score"]:.4f}' in table.splitlines()[1]
  assert table.splitlines()[-1].startswith('baseline')
  assert result['warning'] in report.conclusion(result, output / 'tuned')


def test_tuned_checkpoint(tmp_path, videos, weights_folder, monkeypatch):
  """Tracks with the best, and is the same in all else."""
  monkeypatch.setattr(run, 'save_tuned', SAVE_TUNED)
  for _ in range(2):  # the second replaces what the first has written
    result = _run(tmp_path, videos, weights_folder)
  before, variables = weights.load_model(weights_folder)
  after, same = weights.load_model(tmp_path / 'out' / 'tuned')
  assert after == before.updated(tracking=result['hyperparameters'])
  for a, b in zip(jax.tree.leaves(variables), jax.tree.leaves(same),
                  strict=True):
    assert np.array_equal(a, b)


def test_tuned_checkpoint_is_kept_until_the_next_is_whole(
    tmp_path, weights_folder, monkeypatch):
  folder = tmp_path / 'tuned'
  checkpoint = weights.find_checkpoint(weights_folder)
  first = TrialParams(0.1, 0.2, 0.3)
  SAVE_TUNED(folder, checkpoint, first)

  def full(*args):
    raise OSError('no space')

  monkeypatch.setattr(weights, 'save_model', full)
  with pytest.raises(OSError, match='no space'):
    SAVE_TUNED(folder, checkpoint, TrialParams(0.4, 0.5, 0.6))
  assert weights.load_model(folder)[0].tracking.penalty_k == 0.1
  assert [path.name for path in tmp_path.iterdir()] == ['tuned']


def _write_files(folder, result, found):
  runner = _Runner(Path(result['checkpoint']), found)
  for i, video in enumerate(found.videos):
    tracked = runner.track(TrialParams(**result['hyperparameters']), i)
    if found.vot_protocol:
      regions.write_trajectory(
          vot_results.result_file(folder / 'baseline', video.name), tracked)
    else:
      results.write_boxes(folder / f'{video.name}.txt', tracked,
                          origin=video.origin)


@pytest.mark.parametrize(('benchmark', 'protocol'), [
    ('otb', None), ('otb', 'pysot'), ('folder', 'otb_got10k'),
    ('got10k', None), ('vot2018', None), ('vot2019', 'vot-toolkit')])
def test_score_is_that_of_result_files(tmp_path, videos, weights_folder,
                                       benchmark, protocol):
  """What `evaluate` writes and `score` says with these hyperparameters."""
  if benchmark.startswith('vot'):
    rng = np.random.default_rng(0)
    videos = vot_files.write_folder(tmp_path / 'vot', {
        name: np.c_[rng.uniform(5, 9, (120, 2)), np.full((120, 2), 20.0)]
        .tolist() for name in 'abcdef'}, size=(60, 40))
  elif benchmark == 'got10k':
    for folder in videos.iterdir():
      (folder / 'groundtruth_rect.txt').rename(folder / 'groundtruth.txt')
      for image in (folder / 'img').iterdir():
        image.rename(folder / image.name)
    (videos / 'list.txt').write_text('Basketball\na\nb\nc\nd\n')
  result = _run(tmp_path, videos, weights_folder, benchmark=benchmark,
                protocol=protocol)
  found = tuning_data.load(benchmark, videos, protocol)
  _write_files(tmp_path / 'files', result, found)
  summary = scoring.score(scoring.ScoringRequest(
      benchmark, videos, tmp_path / 'files', protocol))
  assert result['score'] == pytest.approx(summary[result['metric']], abs=1e-12)
  assert 0.3 < result['score'] < 1
  assert _beside(result['hyperparameters']) < 0.2
  assert bool(result['warning']) == (benchmark in ('otb', 'vot2018', 'vot2019'))


@pytest.mark.slow
@pytest.mark.parametrize('calls', [0, 3, 20])
def test_killed_and_started_again(tmp_path, videos, weights_folder, calls):
  whole = _run(tmp_path, videos, weights_folder, output=tmp_path / 'whole',
               last=3)
  _Runner.left = calls
  with pytest.raises(Killed):
    _run(tmp_path, videos, weights_folder, last=3)
  assert not (tmp_path / 'out' / 'result.json').exists()
  log = tmp_path / 'out' / 'trials.jsonl'
  log.write_bytes(log.read_bytes()[:-7])
  _Runner.left = None
  again = _run(tmp_path, videos, weights_folder, last=3)
  assert again | {'seconds': 0} == whole | {'seconds': 0}
  _Runner.left = 0  # nothing is left to track
  _run(tmp_path, videos, weights_folder, last=3)


def test_refusals(tmp_path, videos, weights_folder):
  _run(tmp_path, videos, weights_folder)
  for options, words in (
      ({'prune_z': 2.0}, 'prune_z was 3.0, now 2.0'),
      ({'protocol': 'pysot'}, 'protocol was "otb", now "pysot"'),
      ({'last': 2}, 'checkpoints was'), ({'sequences': ('a',)}, 'sequences'),
      ({'zero_based': ('a',)}, 'annotations was'),
      ({'protocol': 'nonsense'}, '--protocol nonsense: unknown for otb'),
      ({'weights': (tmp_path,)}, 'expected the folder'),
      ({'benchmark': 'vot2018', 'zero_based': ('a',)}, '--zero_based'),
      ({'benchmark': 'folder', 'zero_based': ('a',)}, '--zero_based: not used'),
      ({'zero_based': ('nonsense*',)}, 'zero_based: no sequence matches'),
      ({'prune_z': float('nan')}, '--prune_z nan: expected a number'),
      ({'sequences': ('nobody',)}, 'nobody')):
    with pytest.raises(UserError, match=words):
      _run(tmp_path, videos, weights_folder, **options)
  (tmp_path / 'other' / 'tuned').mkdir(parents=True)  # of somebody else
  with pytest.raises(UserError, match='would be replaced'):
    _run(tmp_path, videos, weights_folder, output=tmp_path / 'other')
  assert (tmp_path / 'other' / 'tuned').is_dir()


def test_zero_based_sequences(tmp_path, videos, weights_folder):
  """They change what the tracker starts from, and the score does not."""
  a = tuning_data.load('otb', videos, None, zero_based=['Jog*', 'a'])
  assert [v.origin for v in a.videos] == [1, 0, 0, 1, 1, 1]
  perfect = a.videos[1].boxes_xywh
  assert perfect[0].tolist() == [11, 9, 20, 16]
  assert a.objective.measure(1, perfect).value == pytest.approx(20 / 21)


def test_a_damaged_sequence_that_is_not_chosen(videos):
  (videos / 'a' / 'groundtruth_rect.txt').write_text('x')
  found = tuning_data.load('otb', videos, None, names=['b', 'c'])
  assert [video.name for video in found.videos] == ['b', 'c']
  with pytest.raises(UserError, match='groundtruth_rect'):
    tuning_data.load('otb', videos, None)


def test_own_sequences_need_no_warning(videos):
  found = tuning_data.load('otb', videos, None, names=['a', 'b'])
  assert found.warning == ''
  assert tuning_data.load('folder', videos, None).warning == ''
  assert 'lasot is a test set' in tuning_data._warning('lasot', ['airplane-1'])


def test_weights_file(tmp_path, videos, weights_folder):
  """Searched for like a checkpoint; other weights are another search."""
  path = tmp_path / 'model.safetensors'
  config, variables = weights.load_model(weights_folder)
  save_weights_file(path, config, variables, {})
  result = _run(tmp_path, videos, path)
  assert result['checkpoint'] == str(path)
  variables['params']['head'] = jax.tree.map(
      lambda leaf: leaf + 1, variables['params']['head'])
  save_weights_file(path, config, variables, {})
  with pytest.raises(UserError, match='belongs to another search: checkpoints'):
    _run(tmp_path, videos, path)


def test_newest_checkpoints(weights_folder):
  names = lambda n: [
      p.name for p in weights.find_checkpoints(weights_folder, n)]
  assert names(1) == ['10'] and names(2) == ['9', '10']
  assert names(7) == ['0', '9', '10']
  one = weights_folder / 'checkpoints' / '9'
  assert weights.find_checkpoints(one, 5) == [one]


@pytest.fixture
def tune(command):
  return functools.partial(command, 'tune')


def test_command(tune, tmp_path, videos, weights_folder):
  common = ['--benchmark', 'otb', '--data', videos, '--sequences', 'Basketball',
            '--weights', weights_folder, '--output', tmp_path / 'out']
  done = tune(*common, '--budget', 1, '--step', 0.5)
  assert done.returncode == 0, done.stderr
  assert done.stderr.startswith('warning: 1 of these 1 sequences are of OTB')
  assert 'best ' in done.stderr
  assert f'--weights {tmp_path}/out/tuned' in done.stdout
  assert 'baseline' in done.stdout and 'nothing about other' in done.stdout
  done = tune('--benchmark', 'otb99', *common[2:])
  assert done.returncode == 2 and done.stdout == ''
  assert done.stderr.startswith('error: --benchmark otb99: expected one of')
  assert done.stderr.count('\n') == 1


@pytest.mark.parametrize(('tracking', 'match'), [
    ({'size_lr': 1e30}, 'config.tracking.size_lr is 1e.30'),
    ({'penalty_k': float('nan')}, 'config.tracking.penalty_k is nan'),
    ({'window_influence': 'x'}, 'config.tracking.window_influence is'),
    (None, 'config.tracking is None')])
def test_senseless_hyperparameters_of_a_checkpoint(tmp_path, monkeypatch,
                                                   tracking, match):
  """Named with the checkpoint, before anything is tracked."""
  monkeypatch.setattr(weights, 'read_config',
                      lambda path: {'tracking': tracking})
  with pytest.raises(UserError, match=f'{tmp_path}: {match}'):
    run._own(tmp_path)
