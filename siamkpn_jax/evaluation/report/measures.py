"""The figures of each benchmark: their names, and which way is better."""

import dataclasses
from collections.abc import Mapping, Sequence

from siamkpn_jax.evaluation.scoring import OWN_PROTOCOLS

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

_ONE_PASS = (SUCCESS, PRECISION, NORM_PRECISION)
_VOT = (EAO, ACCURACY, ROBUSTNESS, FAILURES)
# Benchmark -> its figures, the one that trackers are ranked by first.
MEASURES: Mapping[str, Sequence[Measure]] = {
    **dict.fromkeys(OWN_PROTOCOLS, _ONE_PASS),
    'got10k': (AO, SR50, SR75),
    'vot2016': _VOT, 'vot2018': _VOT, 'vot2019': _VOT,
}

# Benchmark -> how it is written.
TITLES: Mapping[str, str] = {
    **{benchmark: benchmark for benchmark in OWN_PROTOCOLS},
    'otb': 'OTB', 'lasot': 'LaSOT', 'uav123': 'UAV123', 'nfs': 'NfS',
    'nfs240': 'NfS (240 frames per second)', 'folder': 'a folder of sequences',
    'got10k': 'GOT-10k', 'vot2016': 'VOT2016', 'vot2018': 'VOT2018',
    'vot2019': 'VOT2019',
}


def is_vot(benchmark: str) -> bool:
  """Whether it is run by the supervised experiment."""
  return MEASURES[benchmark] is _VOT
