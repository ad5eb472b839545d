"""Every benchmark that is scored can be reported, new ones without a table."""

import json

import pytest

from siamkpn_jax.evaluation import scoring
from siamkpn_jax.evaluation.report.entries import read_entry
from siamkpn_jax.evaluation.report.write import write_entries
from tests.evaluation.report import summaries

KINDS = {'vot': summaries.vot, 'one pass': summaries.one_pass,
         'got10k': summaries.got10k}


@pytest.mark.parametrize('kind', KINDS)
def test_a_new_benchmark_is_in_one_table(tmp_path, monkeypatch, kind):
  monkeypatch.setitem(scoring.OWN_PROTOCOLS, 'toy', 'otb')
  path = tmp_path / 'toy.json'
  path.write_text(json.dumps(KINDS[kind](benchmark='toy')))
  page = write_entries([read_entry('A', path)], tmp_path / 'report')
  assert 'toy' in page.read_text()
  assert 'toy' in (tmp_path / 'report' / 'comparison.csv').read_text()
