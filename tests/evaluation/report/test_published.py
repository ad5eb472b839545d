"""The published numbers, against the paper's words about them."""

import pytest

from siamkpn_jax.evaluation.metrics import got10k, protocols, vot
from siamkpn_jax.evaluation.metrics.published import PUBLISHED, VARIANTS


def _get(benchmark, tracker, key):
  return float(PUBLISHED[benchmark].trackers[tracker][key])


@pytest.mark.parametrize(('benchmark', 'trackers', 'keys'), [
    ('otb', 4, 2), ('vot2018', 15, 3), ('lasot', 19, 2), ('got10k', 11, 3)])
def test_tables_are_whole(benchmark, trackers, keys):
  found = PUBLISHED[benchmark].trackers
  known = {*protocols.ONE_PASS, *vot.PROTOCOLS, got10k.PROTOCOL}
  assert known.issuperset(PUBLISHED[benchmark].protocols)
  assert len(found) == trackers
  for row in found.values():
    assert len(row) == keys
    assert all(0 < float(number) < 1 for number in row.values())


@pytest.mark.parametrize(('benchmark', 'tracker', 'other', 'key', 'gain'), [
    # Relative gains that the paper's text tells of.
    ('vot2018', 'SiamKPN-3s', 'SiamRPN++', 'eao', 6.3),
    ('vot2018', 'SiamKPN-3s', 'ATOM', 'eao', 9.7),
    ('lasot', 'SiamKPN-3s', 'SiamRPN++', 'precision_20', 4.7),
    ('got10k', 'SiamKPN-3s', 'SiamRPN++', 'sr75', 10),
    ('got10k', 'SiamKPN-3s', 'SiamRPN++', 'ao', 2.3)])
def test_gains(benchmark, tracker, other, key, gain):
  ratio = _get(benchmark, tracker, key) / _get(benchmark, other, key)
  assert 100 * (ratio - 1) == pytest.approx(gain, abs=0.06)


def test_tables_agree():
  """What two tables tell is the same."""
  ours = VARIANTS['SiamKPN-3s']
  for key in ('eao', 'accuracy', 'robustness'):
    assert PUBLISHED['vot2018'].trackers['SiamKPN-3s'][key] == ours[key]
  assert [row.get('frames_per_second') for row in VARIANTS.values()] == [
      '40', '32', '24', None]
