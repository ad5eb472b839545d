"""The vot-toolkit's binary results, as its documentation of the format says."""

import struct

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import regions
from siamkpn_jax.evaluation.metrics import vot
from tests.evaluation import vot_files

STARTED, FAILED, UNKNOWN = (struct.pack('<BI', 0, k) for k in (1, 2, 0))
BOX = struct.pack('<B4f', 1, 1.5, 2, 30, 40)
POLYGON = struct.pack('<BH8f', 2, 4, 1, 2, 3, 4, 5, 6, 7, 8)
ROWS = [[1], [1.5, 2, 30, 40], [1, 2, 3, 4, 5, 6, 7, 8], [2], [0], [1]]


def _file(*frames, count=None, version=1):
  return struct.pack('<hI', version, len(frames) if count is None else count
                     ) + b''.join(frames)


WHOLE = _file(STARTED, BOX, POLYGON, FAILED, UNKNOWN, STARTED)


def test_regions_and_markers(tmp_path):
  path = tmp_path / 'a_001.bin'
  path.write_bytes(WHOLE)
  assert regions.read_trajectory(path).rows() == ROWS


@pytest.mark.parametrize(('data', 'message'), [
    (b'', 'not a binary result'),
    (WHOLE[:-1], 'not a binary result'),
    (WHOLE[:5], 'not a binary result'),
    (WHOLE + b'x', '1 extra bytes'),
    (_file(), 'version 1, 0 frames'),
    (_file(STARTED, version=2), 'version 2'),
    (_file(STARTED, count=2**32 - 1), 'not a binary result'),
    (_file(STARTED, struct.pack('<BhhHHH', 3, 0, 0, 1, 1, 0)),
     'frame 2 is of kind 3'),  # a mask
    (_file(STARTED, struct.pack('<BH6f', 2, 3, *range(6))),
     'frame 2 is of kind 2'),  # a triangle
    (_file(STARTED, struct.pack('<BI', 0, 7)), 'line 2'),
    (_file(STARTED, struct.pack('<B4f', 1, 1, 2, float('nan'), 3)), 'line 2'),
    (_file(BOX), 'unexpected '),
])
def test_damaged_files(tmp_path, data, message):
  path = tmp_path / 'a_001.bin'
  path.write_bytes(data)
  with pytest.raises(UserError, match=message) as error:
    regions.read_trajectory(path)
  assert str(path) in str(error.value) and '\n' not in str(error.value)


def test_missing_file(tmp_path):
  with pytest.raises(UserError, match='cannot be read'):
    regions.read_trajectory(tmp_path / 'a_001.bin')


def test_scores_of_binary_and_text_files(tmp_path):
  """Repetitions may be either; where both are there, the text counts."""
  truth = {'a': [[1.0, 2, 30, 40]] * 6}
  vot_files.write_folder(tmp_path / 'truth', truth, images=False)
  folder = tmp_path / 'binary' / 'baseline' / 'a'
  folder.mkdir(parents=True)
  (folder / 'a_001.bin').write_bytes(WHOLE)
  vot_files.write_results(tmp_path / 'text', {'a': [ROWS, ROWS]})
  text = tmp_path / 'text' / 'baseline' / 'a' / 'a_001.txt'
  text.with_name('a_002.bin').write_bytes(b'not read')

  def score(name):
    found = vot.score_results(tmp_path / 'truth', tmp_path / name,
                              'vot2018_vot-toolkit')
    return found['sequences']['a'].pop('repetitions'), found

  one, two = score('binary'), score('text')
  assert (one[0], two[0]) == (1, 2) and one[1] == two[1]
  assert one[1]['failures'] == 1
