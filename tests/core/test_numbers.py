"""What counts as a number in text, wherever text is read."""

import json
import math

import pytest

from siamkpn_jax.cli.parser import real as real_flag
from siamkpn_jax.cli.parser import whole as whole_flag
from siamkpn_jax.cli.track import parse_box
from siamkpn_jax.config.overrides import parse_tracking, with_changes
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.numbers import is_count, is_plain, real, whole
from siamkpn_jax.datasets.formats import (
  json_file,
  pysot_json,
  text,
  youtube_bb,
)
from siamkpn_jax.distributed.initialize import launcher
from siamkpn_jax.evaluation.formats import regions, result_files
from siamkpn_jax.tracking.given_boxes import read_boxes

ODD = ['1_0', '\uff11\uff10', '\u0661', '1_0.5', '1e1_0']  # numbers to Python


@pytest.mark.parametrize('odd', ODD)
def test_what_only_python_reads_is_no_number(odd):
  for reader in (real, whole, json_file.number):
    with pytest.raises(ValueError):
      reader(odd)
  assert not is_plain(odd) and not is_count(odd)


def test_numbers():
  assert real(' 1.5 ') == 1.5 and real('1e3') == 1000 and real(3) == 3
  assert math.isnan(real('nan')) and real('-inf') == -math.inf
  assert whole(' -7 ') == -7
  assert is_count('007') and not any(map(is_count, ('', '-1', ' 1', '\u00b2')))
  for wrong in (True, None, [1]):
    with pytest.raises(TypeError):
      real(wrong)


@pytest.mark.parametrize('odd', ODD)
def test_flags(odd):
  for kind in (real_flag(0), whole_flag(0), real_flag()):
    with pytest.raises(Exception, match='expected a'):
      kind(odd)
  with pytest.raises(UserError, match='--box'):
    parse_box(f'{odd},5,20,20')
  for change in (f'penalty_k={odd}', f'topk_max={odd}'):
    with pytest.raises(UserError, match='expected a value like'):
      parse_tracking(change)
    with pytest.raises(UserError, match='expected a value like'):
      with_changes(Config(), f'tracking.{change}')


def test_text_in_settings_may_have_underscores():
  config = with_changes(Config(), "validation.zero_based=('a_1_0',)")
  assert config.validation.zero_based == ('a_1_0',)


@pytest.mark.parametrize('odd', ODD)
def test_files(odd, tmp_path):
  lines = tmp_path / 'lines.txt'
  lines.write_text(f'{odd},5,20,20\n', encoding='utf-8')
  for reader in (text.read_boxes, text.read_flags, regions.read_truth,
                 read_boxes):
    with pytest.raises(UserError):
      reader(lines)
  table = tmp_path / 'table.csv'
  table.write_text(f'x,y,w,h\n1,2,{odd},4\n', encoding='utf-8')
  plain = tmp_path / 'boxes.json'
  plain.write_text(json.dumps([{'x': odd, 'y': 2, 'w': 3, 'h': 4}]))
  result = tmp_path / 'result.json'
  result.write_text(json.dumps([{'res': [[odd, 2, 3, 4]]}]))
  for reader, path in ((read_boxes, table), (read_boxes, plain),
                       (result_files.read_result, result)):
    with pytest.raises(UserError, match=path.name):
      reader(path)
  assert not pysot_json._numbers([[odd, 2, 3, 4]]).size
  with pytest.raises(ValueError):
    youtube_bb._parse(['v', odd, '1', 'cat', '0', 'present', *'1234'])


def test_a_truth_value_is_no_box(tmp_path):
  path = tmp_path / 'boxes.json'
  path.write_text('[{"x": true, "y": 2, "w": 3, "h": 4}]')
  with pytest.raises(UserError, match='x is .True.; expected a number'):
    read_boxes(path)


def test_digits_that_are_no_number_start_nothing():
  assert launcher({'OMPI_COMM_WORLD_SIZE': '\u00b2'}) == ''
