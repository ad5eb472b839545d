"""Names of sequences are checked where they enter, and saved safely."""

import json

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats import lasot, scan
from siamkpn_jax.datasets.tracks import Dropped
from siamkpn_jax.evaluation.formats import sequences
from siamkpn_jax.evaluation.formats.result_files import find_results
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.run import evaluation, jobs
from siamkpn_jax.evaluation.run.protocol import FirstBoxTracker
from siamkpn_jax.evaluation.scoring import ScoringRequest, load_vot_sequences
from siamkpn_jax.evaluation.scoring import score as score_results
from siamkpn_jax.tracking.one_target import OneTarget
from tests.datasets.formats import miniatures
from tests.evaluation import vot_files
from tests.reference.file_names import is_portable

BAD = ['../victim/notes', '/etc/notes', '..', 'a/b', '..\\notes', 'a\0b',
       '\ud800', '\udcff', 'x' * 300, '']
BOXES = [[4.0, 5, 10, 8]] * 3


def _pysot(folder, *names, **more):
  path = folder / 'OTB100.json'
  images = [str(folder / 'images' / f'{i}.jpg') for i in range(3)]
  path.write_text(json.dumps({
      name: {'img_names': images, 'gt_rect': BOXES, **more}
      for name in names}))
  return path


def _refused(read, *args):
  with pytest.raises(UserError, match='cannot be the name of a seq') as error:
    read(*args)
  assert '\n' not in str(error.value)
  str(error.value).encode()


@pytest.mark.parametrize('name', BAD, ids=lambda name: ascii(name[:9]))
def test_json(tmp_path, name):
  _refused(sequences.load_annotations, 'otb', _pysot(tmp_path, name))
  _refused(sequences.load_annotations, 'otb',
           _pysot(tmp_path, 'fine', name=name, image_files=[]))
  path = vot_files.write_json(tmp_path / 'VOT2018.json', {name: BOXES})
  _refused(load_vot_sequences, 'vot2018', path)


@pytest.mark.parametrize('name', [n for n in BAD if n and n < '\ud800'],
                         ids=lambda name: ascii(name[:9]))
def test_lists(tmp_path, name):
  (tmp_path / 'list.txt').write_text(f'fine\n{name}\n')
  _refused(sequences.load_annotations, 'got10k', tmp_path)
  _refused(load_vot_sequences, 'vot2018', tmp_path)
  miniatures.lasot(tmp_path / 'lasot')
  (tmp_path / 'lasot' / 'testing_set.txt').write_text(f'{name}\n')
  _refused(sequences.load_annotations, 'lasot', tmp_path / 'lasot')


def test_one_bad_line_spoils_no_training(tmp_path):
  miniatures.lasot(tmp_path / 'lasot')
  names = [t.name for t in lasot.tracks(tmp_path / 'lasot', Dropped())]
  (tmp_path / 'lasot' / 'testing_set.txt').write_text(f'../a\n{names[0]}\n')
  left = [t.name for t in lasot.tracks(tmp_path / 'lasot', Dropped())]
  assert names[0] not in left  # the list counts all the same


def _evaluate(benchmark, data, output):
  plan = evaluation.make_plan(
      evaluation.EvaluationRequest(benchmark, data, output))
  return evaluation.run(plan, OneTarget(FirstBoxTracker()), {},
                        progress=False)


NAMES = ['a:b', 'why?', 'CON', 'dot.', '.hidden', 'ü ü', 'tab\there']


@pytest.mark.parametrize('benchmark', ['otb', 'got10k'])
def test_names_that_windows_forbids(tmp_path, benchmark):
  miniatures.put_images(tmp_path / 'images', [f'{i}.jpg' for i in range(3)])
  output = tmp_path / 'out'
  summary = _evaluate(benchmark, _pysot(tmp_path, *NAMES), output)
  assert set(summary['sequences']) == set(NAMES)
  files = [path for path in output.rglob('*') if path.is_file()]
  assert len(files) > 2 * len(NAMES)
  assert all(is_portable(path.name) and path.name[0] != '.' for path in files)
  # The results of other toolkits need not be so careful.
  if benchmark == 'otb':
    (output / 'a%3Ab.txt').rename(output / 'a:b.txt')
  request = ScoringRequest(benchmark, tmp_path / 'OTB100.json', output)
  assert score_results(request)['sequences'] == summary['sequences']


def test_names_of_vot_that_windows_forbids(tmp_path):
  data = vot_files.write_folder(tmp_path / 'data', {'a:b': BOXES, 'aux': BOXES})
  output = tmp_path / 'out'
  summary = _evaluate('vot2018', data, output)
  assert set(summary['sequences']) == {'a:b', 'aux'}
  assert (output / 'baseline/a%3Ab/a%3Ab_001.txt').is_file()
  vot_files.write_results(tmp_path / 'other', {
      name: [[[1.0], *BOXES[1:]]] for name in ('a:b', 'aux')})
  assert set(vot.score_results(
      data, tmp_path / 'other', 'vot2018_pysot')['sequences']) == {
          'a:b', 'aux'}


def test_names_that_are_not_utf8(make_sequence, tmp_path):
  folder = make_sequence('cafe', BOXES)
  try:
    folder.rename(folder.with_name('caf\udce9'))
  except (OSError, UnicodeError):
    pytest.skip('names of files are UTF-8 here')
  summary = _evaluate('otb', tmp_path / 'otb', tmp_path / 'out')
  assert set(summary['sequences']) == {'caf\udce9'}
  assert (tmp_path / 'out' / 'caf%E9.txt').is_file()


def test_two_names_of_one_file(tmp_path):
  with pytest.raises(UserError, match='both would be saved as a%3Ab'):
    jobs.check_names(['a%3Ab', 'a:b'])
  for name in ('a:b.txt', 'a%3Ab.txt'):
    (tmp_path / name).write_text('1,2,3,4')
  with pytest.raises(UserError, match='results of the same sequence'):
    find_results(tmp_path, ['a:b'])


@pytest.mark.parametrize('benchmark', ['otb', 'got10k', 'lasot'])
def test_each_sequence_has_a_name_of_its_own(tmp_path, benchmark):
  """Else the result of one stands for both."""
  homes = {'got10k': ['x-1'], 'lasot': ['a/x-1', 'b/x-1']}.get(benchmark, [])
  for home in homes:
    miniatures.put_text(tmp_path / home / 'groundtruth.txt', '1,2,9,9\n')
  path = tmp_path
  if benchmark == 'got10k':
    miniatures.put_text(tmp_path / 'list.txt', 'x-1\nx-1\n')
  elif benchmark == 'otb':
    path = _pysot(tmp_path, 'x_a', 'y_a', name='x-1', image_files=[])
  with pytest.raises(UserError, match='two sequences are called x-1'):
    sequences.load_annotations(benchmark, path)


def test_names_of_a_program_are_checked_too():
  video = sequences.Video('../a', (), np.array(BOXES))
  with pytest.raises(UserError, match='cannot be the name'):
    jobs.check_names([video.name])


def test_lines_of_a_list_are_names(tmp_path):
  """Blanks do not part them."""
  name = 'my clip 1'
  for home in (tmp_path / 'got', tmp_path / 'lasot'):
    miniatures.put_text(home / name / 'groundtruth.txt', '1,2,9,9\n')
    for flags in ('full_occlusion', 'out_of_view'):
      miniatures.put_text(home / name / f'{flags}.txt', '0\n')
  miniatures.put_text(tmp_path / 'got' / 'list.txt', f'{name}\r\n')
  miniatures.put_text(tmp_path / 'lasot' / 'testing_set.txt', f' {name} \n')
  for benchmark, folder in (('got10k', 'got'), ('lasot', 'lasot')):
    (found,) = sequences.load_annotations(benchmark, tmp_path / folder)
    assert found.name == name
  (found,) = load_vot_sequences('vot2018', tmp_path / 'got')
  assert found.name == name


def test_a_name_with_nul_is_nowhere(tmp_path):
  assert scan.names(tmp_path / 'a\0b') == frozenset()
