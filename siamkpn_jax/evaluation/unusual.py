"""Notes on scores: what is unusual about sequences and result files."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from siamkpn_jax.datasets.formats import otb
from siamkpn_jax.datasets.formats.annotations import Annotation
from siamkpn_jax.datasets.formats.lasot_split import TEST_VIDEOS
from siamkpn_jax.evaluation.formats.result_files import name_key

# Name of a sequence -> its result files, and the boxes of each.
Runs = Mapping[str, tuple[list[Path], list[np.ndarray]]]

# How many sequences a benchmark has, where it has no list of its own.
_SIZES = {'uav123': 123, 'nfs': 100, 'nfs240': 100, 'got10k': 180,
          **dict.fromkeys(('vot2016', 'vot2018', 'vot2019'), 60)}
# The sequences of those that have one, and what the list is called.
_LISTS: Mapping[str, tuple[str, Collection[str]]] = {
    'otb': ('OTB-100', otb.OTB_100),
    'lasot': ('its test set', sorted(TEST_VIDEOS)),
}


def missing(benchmark: str, names: Collection[str]) -> list[str]:
  """Sequences that the benchmark has and the annotations have not."""
  title, listed = _LISTS.get(benchmark, ('', ()))
  size = len(listed) or _SIZES.get(benchmark, 0)
  if len(names) >= size:
    return []
  note = f'{len(names)} of the {size} sequences of {benchmark}'
  if listed:
    there = set(map(name_key, names))
    absent = [n for n in listed if name_key(n) not in there]
    if len(absent) == size:  # other sequences in its layout
      return []
    note += (f' ({title}); missing: {", ".join(absent[:5])}' +
             (f' and {len(absent) - 5} more' if absent[5:] else ''))
  return [note]


def counts(annotation: Annotation, count: int, paths: list[Path]) -> list[str]:
  """What to say of a result that has another length, or repetitions."""
  notes = []
  if count != len(annotation):
    notes.append(f'{annotation.name}: {count} boxes for {len(annotation)} '
                 'annotated frames; only frames with both are scored')
  if len(paths) > 1:
    notes.append(f'{annotation.name}: only {paths[0].name} of {len(paths)} '
                 'repetitions is scored')
  return notes


def shifted(annotations: list[Annotation], runs: Runs) -> list[str]:
  """Results and annotation may count pixels from different numbers."""
  for by in (-1, 1):
    off = [np.allclose(runs[a.name][1][0][0],
                       a.boxes_xywh[0] + [by, by, 0, 0], rtol=0, atol=0.01)
           for a in annotations]
    if 2 * sum(off) > len(annotations):
      return [f'in {sum(off)} of {len(annotations)} sequences the first '
              f'box is {by:+d} pixel off the annotation: if one is 0-based and '
              f'the other 1-based, use --shift={-by}']
  return []
