"""The sequences that are searched on, with their objective."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from siamkpn_jax.core.checksum import checksum
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats import has_otb_layout, otb
from siamkpn_jax.datasets.formats.annotations import usable
from siamkpn_jax.evaluation import scoring
from siamkpn_jax.evaluation.formats import sequences as layouts
from siamkpn_jax.evaluation.formats.result_files import name_key
from siamkpn_jax.evaluation.formats.sequences import Video
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.metrics.protocols import OnePass
from siamkpn_jax.tuning.objective import (
  AverageOverlapObjective,
  Objective,
  SuccessObjective,
)
from siamkpn_jax.tuning.vot_objective import EaoObjective

_NO_TEST_SETS = ('got10k', 'folder')


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
  """What is searched on.

  Attributes:
    objective: what is maximized.
    videos: with images; `VotSequence` where the protocol is one of VOT.
    vot_protocol: by which the tracker is restarted; None: one pass.
    fingerprint: a checksum of names and annotation.
    warning: what to say if it is a test set, else ''.
  """
  objective: Objective
  videos: list[Video] | list[VotSequence]
  vot_protocol: vot.Protocol | None
  fingerprint: int
  warning: str


def load(benchmark: str, path: Path, protocol: str | None, *,
         names: Sequence[str] = (), zero_based: Sequence[str] = ()) -> Data:
  """Reads sequences and annotations.

  Args:
    benchmark: a key of `scoring.SCORERS`.
    path: see evaluation/formats/sequences.py and vot_sequences.py.
    protocol: the rule; None: the benchmark's own.
    names: read only these names or patterns; empty for all.
    zero_based: names or patterns of sequences whose files count from 0.

  Raises:
    UserError: an unknown protocol, nothing to read, or damaged annotations.
  """
  rule = scoring.find_rule(benchmark, protocol)
  if zero_based and not has_otb_layout(benchmark):
    raise UserError(f'--zero_based: not used with {benchmark}, whose layout '
                    'defines it: omit the flag')
  if not isinstance(rule, vot.Protocol):
    return _load_boxes(benchmark, path, rule, names, zero_based)
  videos = scoring.load_vot_sequences(benchmark, path, names)
  bare = [v.name for v in videos if not v.frames]
  if bare:
    raise UserError(f'{path}: no images for sequence {bare[0]}; expected them '
                    'next to the annotation: check the download')
  objective = EaoObjective(videos, rule)
  return Data(objective, videos, rule,
              checksum((v.name, v.truth.numbers) for v in videos),
              _warning(benchmark, objective.names))


def _load_boxes(benchmark: str, path: Path, rule: OnePass | None,
                names: Sequence[str], zero_based: Sequence[str]) -> Data:
  found = layouts.find_annotations(benchmark, path)
  from_0 = layouts.meant(zero_based, [a.name for a in found], 'zero_based')
  annotations = [layouts.counted(a, from_0)
                 for a in usable(layouts.select(found, names))]
  objective = (SuccessObjective(annotations, rule) if rule else
               AverageOverlapObjective(annotations))
  videos = [layouts.with_frames(a) for a in annotations]
  return Data(objective, videos, None,
              checksum((v.name, v.boxes_xywh) for v in videos),
              _warning(benchmark, objective.names))


def _warning(benchmark: str, names: Sequence[str]) -> str:
  """One paragraph if these are sequences that results are published on."""
  if benchmark == 'otb':  # the layout is used for other sequences as well
    public = {name_key(name) for name in otb.OTB_100}
    known = sum(name_key(name) in public for name in names)
    what = f'{known} of these {len(names)} sequences are of OTB-100'
    public_set = known > 0
  else:
    what = f'{benchmark} is a test set'
    public_set = benchmark not in _NO_TEST_SETS
  return '' if not public_set else (
      f'warning: {what}: the score below says nothing about other videos. '
      "(The paper's values were tuned this way.) For a fair comparison of "
      "trackers, search on GOT-10k's validation set (--benchmark got10k) or on "
      'your own videos (--benchmark folder)')
