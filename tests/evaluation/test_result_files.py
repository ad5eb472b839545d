"""Result files of others: layouts, names, and every kind of damage."""

import json

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats.result_files import (
  find_results,
  name_key,
  read_result,
)

BOXES = '1,2,3,4\n5,6,7,8\n'

# Kind -> numbers of the videos, those of several parts with how many.
_UAV123 = {
    'bike': {1: 0, 2: 0, 3: 0}, 'bird': {1: 3},
    'boat': dict.fromkeys(range(1, 10), 0),
    'building': dict.fromkeys(range(1, 6), 0),
    'car': dict.fromkeys(range(1, 19), 0) | {1: 3, 6: 5, 8: 2, 16: 2},
    'group': {1: 4, 2: 3, 3: 4},
    'person': dict.fromkeys(range(1, 24), 0) | {
        2: 2, 4: 2, 5: 2, 7: 2, 8: 2, 12: 2, 14: 3, 17: 2, 19: 3},
    'truck': {1: 0, 2: 0, 3: 0, 4: 2}, 'uav': dict.fromkeys(range(1, 9), 0) | {
        1: 3}, 'wakeboard': dict.fromkeys(range(1, 11), 0)}
UAV123 = [f'{kind}{n}_{part}' if parts else f'{kind}{n}'
          for kind, videos in _UAV123.items() for n, parts in videos.items()
          for part in range(1, max(parts, 1) + 1)] + [
              'car1_s', 'car2_s', 'car3_s', 'car4_s', 'person1_s', 'person2_s',
              'person3_s']  # rendered


def _write(path, content=BOXES):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(content if isinstance(content, bytes) else content.encode())
  return path


def test_layouts(tmp_path):
  for file in ('Ball.txt', 'Car/Car_001.txt', 'Car/Car_002.txt',
               'Car/Car_time.txt', 'baseline/Dog/Dog_001.txt', 'Eel.json',
               'notes/read.txt'):
    _write(tmp_path / file)
  found = find_results(tmp_path, ['Ball', 'Car', 'Dog', 'Eel'])
  assert {n: [p.name for p in paths] for n, paths in found.items()} == {
      'Ball': ['Ball.txt'], 'Car': ['Car_001.txt', 'Car_002.txt'],
      'Dog': ['Dog_001.txt'], 'Eel': ['Eel.json']}


@pytest.mark.parametrize(('name', 'file'), [
    ('Jogging-1', 'jogging_1'), ('Jogging-1', 'Jogging.1'),
    ('Skating2-2', 'Skating2.2'), ('Human4-2', 'Human4'),
    ('Human4', 'human4_2'), ('FleetFace', 'fleetface'),
    ('airplane-1', 'airplane-1')])
def test_spellings_of_a_name(tmp_path, name, file):
  _write(tmp_path / f'{file}.txt')
  assert find_results(tmp_path, [name])[name] == [tmp_path / f'{file}.txt']


def test_names_of_otb_stay_apart():
  from siamkpn_jax.datasets.formats.otb import OTB_100
  assert len({name_key(n) for n in OTB_100}) == len(OTB_100) == 100


def test_names_of_uav123_and_lasot_stay_apart():
  from siamkpn_jax.datasets.formats.lasot_split import TEST_VIDEOS
  assert len({name_key(n) for n in TEST_VIDEOS}) == 280
  assert len({name_key(n) for n in UAV123}) == len(UAV123) == 123
  assert name_key('car1_1') == name_key('Car1.1') != name_key('car11')


def test_all_of_uav123_is_found(tmp_path):
  for name in UAV123:
    _write(tmp_path / 'a' / f'{name}.txt')
    _write(tmp_path / 'b' / f'{name.replace("_", "-").upper()}.txt')
  for folder, spelled in (('a', str), ('b', lambda n: n.replace(
      '_', '-').upper())):
    found = find_results(tmp_path / folder, UAV123)
    assert {n: paths[0].stem for n, paths in found.items()} == {
        n: spelled(n) for n in UAV123}


def test_exact_names_come_first(tmp_path):
  """Where two sequences have the same key, no file serves for the other."""
  for file in ('a-1', 'a1'):
    _write(tmp_path / f'{file}.txt')
  found = find_results(tmp_path, ['a1', 'a-1'])
  assert {n: p[0].stem for n, p in found.items()} == {'a1': 'a1',
                                                      'a-1': 'a-1'}
  (tmp_path / 'a1.txt').unlink()
  for names, among in ((['a1', 'a-1'], []), (['a1'], ['a1', 'a-1'])):
    with pytest.raises(UserError, match='no result file for a1 of'):
      find_results(tmp_path, names, among)
  (tmp_path / 'a-1.txt').rename(tmp_path / 'A_1.txt')  # of either
  with pytest.raises(UserError, match='no result file for a1, a-1 of'):
    find_results(tmp_path, ['a1', 'a-1'])
  assert find_results(tmp_path, ['a1'])['a1'][0].stem == 'A_1'
  _write(tmp_path / 'A.1.txt')
  with pytest.raises(UserError, match=r'A\.1.* and .*A_1.*same sequence'):
    find_results(tmp_path, ['a1'])


def test_missing_and_double(tmp_path):
  with pytest.raises(UserError, match='not a folder'):
    find_results(tmp_path / 'none', ['a'])
  _write(tmp_path / 'Ball.txt')
  with pytest.raises(UserError, match='no result file for Car, Dog of 3'):
    find_results(tmp_path, ['Ball', 'Car', 'Dog'])
  _write(tmp_path / 'Ball' / 'Ball_001.txt')
  with pytest.raises(UserError, match='results of the same sequence'):
    find_results(tmp_path, ['Ball'])


@pytest.mark.parametrize('text', [
    '1,2,3,4\n5,6,7,8\n', '1\t2\t3\t4\n5\t6\t7\t8',
    '1 2 3 4\r\n5 6 7 8\r\n\r\n',
    ' 1, 2,\t3 ,4\n5;6;7;8\n\n', '\ufeff1,2,3,4\n5e0,6.,+7,8'])
def test_separators(tmp_path, text):
  path = _write(tmp_path / 'a.txt', text)
  assert read_result(path).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_odd_numbers_are_kept(tmp_path):
  path = _write(tmp_path / 'a.txt', 'NaN,-inf,Inf,1e400\n1,2,-3,0\n')
  np.testing.assert_array_equal(
      read_result(path), [[np.nan, -np.inf, np.inf, np.inf], [1, 2, -3, 0]])


@pytest.mark.parametrize(('content', 'told'), [
    ('', ': empty'), (' \n\n', ': empty'),
    ('1,2,3,4\n1,2,3\n', r'line 2.*\(3 columns\)'),
    ('1,2,3,4,5,6,7,8\n', r'line 1.*\(8 columns\)'), ('1:2:3:4\n', 'line 1'),
    ('1,2,3,4\n\n1,2,3,4\n', 'line 2'), ('x,y,w,h\n1,2,3,4', 'line 1'),
    ('1,2,3,0x4\n', 'line 1'), ('1_0,2,3,4\n', 'line 1'), ('1,,3,4', 'line 1'),
    (b'\xff\xd8\xff\xe0', 'not a UTF-8 text file'), (b'\x00\x00', 'line 1')])
def test_damage_is_refused_in_one_line(tmp_path, content, told):
  path = _write(tmp_path / 'a.txt', content)
  with pytest.raises(UserError, match=told) as error:
    read_result(path)
  message = str(error.value)
  assert str(path) in message and '\n' not in message
  assert 'expected' in message or 'restore' in message


@pytest.mark.parametrize('content', [
    '', '{}', '[]', '[1]', '[{}]', '[{"res": 3}]', '[{"res": [[1, 2, 3]]}]',
    '[{"res": [[1, 2, 3, 4]], "resType": "ivtAff"}]', '[{"res": null}]',
    '[{"res": [[1, 2, 3, 4], [1]]}]', '[[' * 10_000])
def test_damaged_json(tmp_path, content):
  with pytest.raises(UserError, match='not a result'):
    read_result(_write(tmp_path / 'a.json', content))


def test_json(tmp_path):
  path = _write(tmp_path / 'a.json', json.dumps(
      [{'resType': 'rect', 'res': [[1, 2, 3, 4]]}]))
  assert read_result(path).tolist() == [[1, 2, 3, 4]]
