"""The figures of each benchmark: their names, and which way is better."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from siamkpn_jax.datasets.formats import BENCHMARKS
from siamkpn_jax.evaluation.scoring import OWN_PROTOCOLS, SCORERS

NONE = '-'  # what tables show where nothing is known


@dataclasses.dataclass(frozen=True)
class Measure:
  """A figure of a tracker.

  Attributes:
    key: its name in score files.
    label: its name in tables.
    short: its name in narrow tables.
    lower_is_better: whether it counts mistakes.
    digits: decimals that are shown.
  """
  key: str
  label: str
  short: str
  lower_is_better: bool = False
  digits: int = 3

  def show(self, value: float | None) -> str:
    """The number as tables have it; a dash for none."""
    return NONE if value is None else f'{value:.{self.digits}f}'


SUCCESS = Measure('success_auc', 'success AUC', 'AUC')
PRECISION = Measure('precision_20', 'precision (20 px)', 'prec.')
NORM_PRECISION = Measure('norm_precision', 'norm. precision', 'norm.')
AO = Measure('ao', 'AO', 'AO')
SR50 = Measure('sr50', 'SR 0.50', 'SR50')
SR75 = Measure('sr75', 'SR 0.75', 'SR75')
EAO = Measure('eao', 'EAO', 'EAO')
ACCURACY = Measure('accuracy', 'accuracy', 'A')
# Failures in 100 frames, as papers have it.
ROBUSTNESS = Measure('robustness', 'robustness', 'R', lower_is_better=True)
FAILURES = Measure('failures', 'failures', 'fail.', lower_is_better=True,
                   digits=1)

# Of each kind of benchmark the figures, the one that ranks trackers first.
_ONE_PASS = (SUCCESS, PRECISION, NORM_PRECISION)
_GOT10K = (AO, SR50, SR75)
_VOT = (EAO, ACCURACY, ROBUSTNESS, FAILURES)

# Benchmark -> how it is written, if not as it stands.
TITLES: Mapping[str, str] = {
    'otb': 'OTB', 'lasot': 'LaSOT', 'uav123': 'UAV123', 'nfs': 'NfS',
    'nfs240': 'NfS (240 frames per second)', 'folder': 'a folder of sequences',
    'got10k': 'GOT-10k', 'vot2016': 'VOT2016', 'vot2018': 'VOT2018',
    'vot2019': 'VOT2019',
}


def measures_of(benchmark: str, keys: Collection[str]) -> Sequence[Measure]:
  """The figures of a benchmark, the one that trackers are ranked by first.

  The keys of its scores tell its kind.

  Raises:
    ValueError: there is no such benchmark, or no figure among the keys.
  """
  if not any(benchmark in known
             for known in (OWN_PROTOCOLS, SCORERS, BENCHMARKS)):
    raise ValueError(f'benchmark {benchmark!r}')
  for kind in (_VOT, _GOT10K, _ONE_PASS):
    if any(measure.key in keys for measure in kind):
      return kind
  raise ValueError(f'benchmark {benchmark!r}: no figures')


def is_vot(measures: Sequence[Measure]) -> bool:
  """Whether these are figures of the supervised experiment."""
  return measures[0] is EAO


def title_of(benchmark: str) -> str:
  """How a benchmark is written."""
  return TITLES.get(benchmark, benchmark)
