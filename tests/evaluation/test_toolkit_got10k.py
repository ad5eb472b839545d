"""Equality with the GOT-10k toolkit, run on the same files in this session."""

import numpy as np
import pytest

from siamkpn_jax.evaluation.formats import result_files, sequences
from siamkpn_jax.evaluation.metrics import got10k, ope
from siamkpn_jax.evaluation.metrics.protocols import OTB_GOT10K, UAV123_GOT10K
from tests.optional import import_or_skip


@pytest.fixture(scope='module')
def toolkit():
  """The experiments of the real package."""
  return import_or_skip('got10k.experiments',
                        reason='needs the packages got10k and six')


class _Dataset:
  """Annotations in the place of a data set with images."""

  def __init__(self, entries):
    self.seq_names = list(entries)
    self._entries = entries

  def __len__(self):
    return len(self.seq_names)

  def __getitem__(self, index):
    if not isinstance(index, str):
      index = self.seq_names[index]  # IndexError ends a loop
    return self._entries[index]


def _experiment(kind, dataset, folder, **attributes):
  """An experiment whose constructor, which downloads data, did not run."""
  experiment = kind.__new__(kind)
  vars(experiment).update(
      dataset=dataset, result_dir=str(folder), nbins_ce=51,
      report_dir=str(folder / 'reports'), plot_curves=lambda *_: None,
      **attributes)
  return experiment


def _write(path, boxes):
  path.parent.mkdir(parents=True, exist_ok=True)
  np.savetxt(path, boxes, fmt='%.4f', delimiter=',')


def _check_one_pass(toolkit, tmp_path, truth, boxes, kind='ExperimentOTB',
                    protocol=OTB_GOT10K):
  for name in truth:
    _write(tmp_path / 'run' / f'{name}.txt', boxes[name])
  experiment = _experiment(
      getattr(toolkit, kind), _Dataset({n: (None, t) for n, t in
                                        truth.items()}),
      tmp_path, nbins_iou=21)
  theirs = experiment.report(['run'])['run']
  ours = {n: ope.score_sequence(
      result_files.read_result(tmp_path / 'run' / f'{n}.txt'), truth[n],
      protocol=protocol) for n in truth}
  for name, score in ours.items():
    expected = theirs['seq_wise'][name]
    np.testing.assert_allclose(score.success_curve, expected['success_curve'],
                               rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        score.precision_curve, expected['precision_curve'], rtol=0, atol=1e-12)
  mean = ope.mean_score(ours)
  assert mean.success_auc == pytest.approx(
      theirs['overall']['success_score'], abs=1e-12)
  assert mean.precision_20 == pytest.approx(
      theirs['overall']['precision_score'], abs=1e-12)
  return mean


@pytest.mark.realdata
@pytest.mark.parametrize(('tracker', 'auc', 'precision'), [
    ('kcf', 0.4780, 0.6878), ('struck', None, None)])
def test_otb100(toolkit, real_data, tmp_path, tracker, auc, precision):
  truth = {a.name: a.boxes_xywh for a in sequences.load_annotations(
      'otb', real_data / 'annotations' / 'otb100' / 'OTB2015.json')}
  folder = real_data / 'raw_results' / 'otb100' / tracker
  boxes = {n: result_files.read_result(p)
           for n, (p,) in result_files.find_results(folder, truth).items()}
  if tracker == 'kcf':
    boxes['Tiger1'] = boxes['Tiger1'][5:]  # frames 6 to 354, as annotated
  else:
    del truth['ClifBar']  # 329 boxes for 472 frames: refused by both
  mean = _check_one_pass(toolkit, tmp_path, truth, boxes)
  if auc:
    assert round(mean.success_auc, 4) == auc
    assert round(mean.precision_20, 4) == precision


def _random(rng, count):
  """Whole numbers, so that comparisons meet equality."""
  truth = np.concatenate([rng.integers(1, 30, (count, 2)),
                          rng.integers(1, 20, (count, 2))], 1).astype(float)
  result = truth + rng.integers(-3, 4, (count, 4))
  result[0] += 1
  return truth, result


def test_damaged_boxes(toolkit, tmp_path):
  """Invalid annotations and broken boxes: the toolkit's answer."""
  rng = np.random.default_rng(0)
  truth, boxes = {}, {}
  for i in range(20):
    truth[f's{i}'], boxes[f's{i}'] = _random(rng, 30)
  truth['s3'][4] = truth['s4'][29] = 0
  truth['s5'][6] = np.nan
  boxes['s6'][3] = np.nan
  boxes['s7'][3] = 0
  boxes['s8'][3, 2:] = -5
  boxes['s9'][3] = np.inf
  boxes['s9'][4, 2] = np.inf
  with np.errstate(invalid='ignore'):
    _check_one_pass(toolkit, tmp_path, truth, boxes)
    _check_one_pass(toolkit, tmp_path, truth, boxes, 'ExperimentUAV123',
                    UAV123_GOT10K)


def test_average_overlap(toolkit, tmp_path):
  """GOT-10k itself: cover, clipping, repetitions, the first frame."""
  rng = np.random.default_rng(1)
  entries, runs, visible = {}, {}, {}
  for i in range(12):
    name = f'GOT-10k_Val_{i:06d}'
    truth, result = _random(rng, 25)
    truth[:, :2] -= 4  # some begin left of the image, some end beyond it
    again = result + rng.integers(-2, 3, result.shape)
    runs[name] = [result, again][:1 + i % 2]
    cover = rng.integers(0, 9, len(truth)) * (rng.random(len(truth)) > 0.2)
    visible[name] = cover > 0
    entries[name] = (None, truth, {'cover': cover, 'resolution': '(32, 28)'})
    for k, run in enumerate(runs[name], start=1):
      _write(tmp_path / 'run' / name / f'{name}_{k:03d}.txt', run)
    _write(tmp_path / 'run' / name / f'{name}_time.txt', np.ones(25))
  kept = {n: e[1].copy() for n, e in entries.items()}
  experiment = _experiment(toolkit.ExperimentGOT10k, _Dataset(entries),
                           tmp_path, nbins_iou=101, subset='val')
  theirs = experiment.report(['run'])['run']  # clips the truth in place
  ours = {n: got10k.sequence_overlaps(
      runs[n], truth, visible=visible[n], frame_size=(32, 28))
          for n, truth in kept.items()}
  for name, overlaps in ours.items():
    found = got10k.figures(overlaps)
    assert found['ao'] == pytest.approx(theirs['seq_wise'][name]['ao'],
                                        abs=1e-12)
    assert found['sr50'] == theirs['seq_wise'][name]['sr']
  every = np.concatenate(list(ours.values()))
  found = got10k.figures(every)
  assert found['ao'] == pytest.approx(theirs['overall']['ao'], abs=1e-12)
  assert found['sr50'] == theirs['overall']['sr']
  np.testing.assert_allclose(
      ope.success_curve(every, got10k.THRESHOLDS),
      theirs['overall']['succ_curve'], atol=1e-12)
  assert found['sr75'] == pytest.approx(theirs['overall']['succ_curve'][75])


@pytest.mark.parametrize(('rate', 'lines', 'images'), [
    (30, 24, 3), (30, 17, 17), (30, 17, 16), (30, 16, 17), (30, 17, 2),
    (30, 31, 4), (30, 39, 5), (240, 17, 17), (240, 17, 16), (240, 16, 17)])
def test_lengths_of_nfs(toolkit, tmp_path, rate, lines, images):
  """Lines and images of other numbers: which of them belong together."""
  from got10k.datasets import NfS  # there, as the toolkit is
  home = tmp_path / 'ball' / str(rate)
  (home / 'ball').mkdir(parents=True)
  (home / 'ball.txt').write_text(''.join(
      f'0 {i} 4 {i + 5} 10 {i} 0 0 0 ball\n' for i in range(lines)))
  for i in range(images):
    (home / 'ball' / f'{i:05d}.jpg').touch()
  files, boxes = NfS(str(tmp_path), fps=rate)[0]
  benchmark = 'nfs' if rate == 30 else 'nfs240'
  (ours,) = sequences.load_benchmark(benchmark, tmp_path)
  assert [str(f) for f in ours.frames] == files
  np.testing.assert_array_equal(ours.boxes_xywh, boxes)
