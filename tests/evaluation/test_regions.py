"""Files of regions and markers: read, written, refused."""

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import regions

RUN = [[1], [1, 2, 3, 4], [2], [0], [0], [0], [0], [1], [0],
       [1.5, 2, 3, 4, 5, 6, 7, 8], [2]]


def _write(tmp_path, text):
  path = tmp_path / 'run.txt'
  path.write_text(text)
  return path


def test_written_files_are_read_back(tmp_path):
  path = tmp_path / 'new' / 'run.txt'
  regions.write_trajectory(path, regions.from_rows(RUN))
  assert path.read_text().split('\n')[:4] == [
      '1', '1.0000,2.0000,3.0000,4.0000', '2', '0']
  found = regions.read_trajectory(path)
  assert found.rows() == RUN
  np.testing.assert_array_equal(np.flatnonzero(found.marked(regions.FAILED)),
                                [2, 10])
  np.testing.assert_array_equal(np.flatnonzero(found.present), [1, 9])


@pytest.mark.parametrize('text', [
    '1\n1,2,3,4\n', '1\r\n1,2,3,4\r\n\r\n', '1.0\n1\t2\t3\t4', '1\n1 2 3 4',
    '1\n 1; 2; 3; 4 \n\n'])
def test_separators_and_ends_of_lines(tmp_path, text):
  found = regions.read_trajectory(_write(tmp_path, text))
  assert found.rows() == [[1], [1, 2, 3, 4]]


@pytest.mark.parametrize('text', [
    '1,2,3,4\n', '1\n1\n', '1\n2\n1\n', '1\n2\n5,5,5,5\n', '0\n', '2\n',
    '1\n2\n2\n', '1\n2\n0\n2\n'])
def test_markers_in_the_wrong_place(tmp_path, text):
  path = _write(tmp_path, text)
  with pytest.raises(UserError, match=r'line \d: unexpected .'):
    regions.read_trajectory(path)


@pytest.mark.parametrize('line', [
    'nan,1,2,3', 'NaN', 'inf,1,2,3', '1,2,3', '1,2,3,4,5', '3', '-1', '0.5',
    '1:2:3:4', 'x', '', '1e300,1,2,3', '1,2,3,4,5,6', '1,,2,3,4',
    '1,2,3,4,'])
def test_lines_that_are_no_region(tmp_path, line):
  path = _write(tmp_path, f'1\n{line}\n1,2,3,4\n')
  with pytest.raises(UserError, match='line 2: .* is not a region') as error:
    regions.read_trajectory(path)
  assert '\n' not in str(error.value)


def test_empty_missing_and_binary_files(tmp_path):
  with pytest.raises(UserError, match=': empty; '):
    regions.read_trajectory(_write(tmp_path, '\n'))
  with pytest.raises(UserError, match='No such file'):
    regions.read_trajectory(tmp_path / 'none.txt')
  path = tmp_path / 'binary.txt'
  path.write_bytes(b'\xff\xfe\x00')
  with pytest.raises(UserError, match='not a UTF-8 text file'):
    regions.read_trajectory(path)


def test_an_annotation_has_no_markers(tmp_path):
  assert len(regions.read_truth(_write(tmp_path, '1,2,3,4\n1,2,3,4\n'))) == 2
  with pytest.raises(UserError, match='line 2: 1 is a marker'):
    regions.read_truth(_write(tmp_path, '1,2,3,4\n1\n'))


def test_corners():
  found = regions.from_rows([[1, 2, 3, 4], list(range(8))])
  np.testing.assert_array_equal(
      regions.corners(found, inclusive=False)[0],
      [[1, 2], [4, 2], [4, 6], [1, 6]])
  np.testing.assert_array_equal(
      regions.corners(found, inclusive=True),
      [[[1, 2], [3, 2], [3, 5], [1, 5]], [[0, 1], [2, 3], [4, 5], [6, 7]]])
