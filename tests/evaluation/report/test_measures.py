"""Every benchmark that is scored can be reported."""

from siamkpn_jax.evaluation.report.measures import MEASURES, TITLES
from siamkpn_jax.evaluation.scoring import SCORERS


def test_all_benchmarks():
  assert set(MEASURES) == set(TITLES) == set(SCORERS)
