"""Files of boxes and scores: exact round trips, damage reported."""

import json
import os

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import results

BOXES = np.array([[0, 1.5, 10.25, 20], [-3.0625, 2, 1, 4.1234]])


@pytest.mark.parametrize('origin', [0, 1])
def test_boxes_round_trip(tmp_path, origin):
  path = tmp_path / 'new' / 'a.txt'
  results.write_boxes(path, BOXES, origin=origin)
  np.testing.assert_allclose(
      results.read_boxes(path, origin=origin), BOXES, rtol=0, atol=5e-5)
  first = path.read_text().splitlines()[0]
  assert first == ('0.0000,1.5000,10.2500,20.0000' if origin == 0
                   else '1.0000,2.5000,10.2500,20.0000')


@pytest.mark.parametrize('number', ['nan', 'inf', '-inf'])
def test_numbers_must_be_finite(tmp_path, number):
  path = tmp_path / 'a.txt'
  path.write_text(f'1,2,3,4\n1,2,{number},4\n')
  with pytest.raises(UserError, match=f"line 2: '1,2,{number},4' is not a box"):
    results.read_boxes(path)


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / 'a.txt'
  results.write_boxes(path, BOXES)
  before = path.read_text()

  def full(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'replace', full)
  monkeypatch.setattr('pathlib.Path.replace', full)
  with pytest.raises(UserError, match='No space left'):
    results.write_boxes(path, BOXES + 1)
  assert path.read_text() == before
  assert [f.name for f in tmp_path.iterdir()] == ['a.txt']


def test_output_folder_is_a_file(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot be written'):
    results.write_boxes(tmp_path / 'file' / 'a.txt', BOXES)


def test_summary_is_json(tmp_path):
  """Strict JSON: a NaN is refused instead of written."""
  path = tmp_path / 'summary.json'
  summary = {'success_auc': 0.5, 'frames_per_second': None, 'curve': [1.0]}
  results.write_summary(path, summary)
  assert json.loads(path.read_text()) == summary
  with pytest.raises(ValueError, match='JSON'):
    results.write_summary(path, {'success_auc': float('nan')})
  assert json.loads(path.read_text()) == summary
