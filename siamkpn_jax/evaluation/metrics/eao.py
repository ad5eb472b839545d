"""Expected average overlap (EAO), by the rules of pysot and the vot-toolkit.

A run is cut into fragments at its failures. The curve at k is the overlap that
is expected, on average, over the first k frames after a start: the mean over
fragments of their mean overlap in frames 1..k, where a fragment that ended in a
failure goes on with zeros and one that reached the end of its sequence counts
only as far as it goes. EAO is the mean of the curve over the lengths that a
sequence of the benchmark typically has. The rules differ in where they cut:

`pysot`: a fragment goes on after its failure through the frames without
  tracker up to the next start, that frame included, all with overlap 0; the
  next begins with that frame. A failure so close to the end that no start could
  follow does not cut. The weight of a fragment is the share of its frames that
  carry the tag (of all frames: 1, but slightly less if the next start would
  have been just after the end).
`vot-toolkit`: a fragment is from a start to the frame before its failure. All
  weigh the same; the toolkit has no tags, here the share of tagged frames is
  used as in pysot.

Sources: pysot toolkit/evaluation/eao_benchmark.py and utils/statistics.py;
vot-toolkit 0.7.4 vot/analysis/supervised.py; Kristan et al., "The Visual Object
Tracking VOT2015 challenge results", ICCVW 2015.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from siamkpn_jax.evaluation.formats import regions
from siamkpn_jax.evaluation.formats.regions import Regions


@dataclasses.dataclass(frozen=True, eq=False)
class Fragment:
  """A part of a run that began with a start.

  Attributes:
    overlaps: [n] overlap in each frame, the start included.
    failed: whether it ended in a failure.
    weight: how much it counts, 0..1.
  """
  overlaps: np.ndarray
  failed: bool
  weight: float


def pysot_fragments(run: Regions, overlaps: np.ndarray, tagged: np.ndarray,
                    skip: int) -> list[Fragment]:
  """Cuts a run as pysot does.

  Args:
    run: t regions and markers.
    overlaps: [t], NaN at markers.
    tagged: [t] bool, the frames that are of interest.
    skip: frames from a failure to the next start.
  """
  length = len(run)
  failures = np.flatnonzero(run.marked(regions.FAILED))
  if not failures.size:
    # An unknown frame stays NaN here: the curve ends there for this fragment.
    return [Fragment(overlaps, False, tagged.mean())]
  overlaps = np.nan_to_num(overlaps)
  starts = [0, *(failures + skip)[failures + skip <= length]]
  fragments = [
      Fragment(overlaps[start:stop + 1], True,
               tagged[start:stop + 1].sum() / (stop + 1 - start))
      for start, stop in itertools.pairwise(starts)]
  last = starts[-1]
  if last < length:
    fragments.append(Fragment(overlaps[last:], False, tagged[last:].mean()))
  return fragments


def toolkit_fragments(run: Regions, overlaps: np.ndarray,
                      tagged: np.ndarray) -> list[Fragment]:
  """Cuts a run as the vot-toolkit does; arguments as of `pysot_fragments`."""
  overlaps = np.nan_to_num(overlaps)
  starts = np.flatnonzero(run.marked(regions.STARTED))
  failures = np.flatnonzero(run.marked(regions.FAILED))
  stops = [*failures, len(run)]
  return [
      Fragment(overlaps[start:stop], i < len(failures),
               tagged[start:stop].mean())
      for i, (start, stop) in enumerate(zip(starts, stops, strict=False))]


def curve(fragments: Sequence[Fragment], length: int) -> np.ndarray:
  """Expected overlap over the first k frames after a start.

  Args:
    fragments: of all runs.
    length: how far to go, at least that of the longest fragment. pysot goes as
      far as the longest run, the vot-toolkit as the longest fragment.

  Returns:
    [length] for k = 0, 1, ...; 1 at k = 0, 0 where no fragment goes so far (as
    pysot has it), NaN where those that do have no weight or an unknown frame.
  """
  total, weights = np.zeros(length), np.zeros(length)
  reached = np.zeros(length, bool)
  for fragment in fragments:
    values = fragment.overlaps
    if fragment.failed:
      values = np.pad(values, (0, length - len(values)))
    here = np.flatnonzero(~np.isnan(values))
    here = here[here > 0]
    means = np.cumsum(values[1:]) / np.arange(1, len(values))
    total[here] += fragment.weight * means[here - 1]
    weights[here] += fragment.weight
    reached[here] = True
  total[0] = weights[0] = reached[0] = 1
  with np.errstate(invalid='ignore'):
    return np.where(reached, total / weights, 0)


def mean_over(expected: np.ndarray, lengths: Iterable[int]) -> float | None:
  """The mean of a curve [n] over some lengths; None where it has no value.

  Lengths that are not on the curve are left out.
  """
  inside = expected[[k for k in lengths if k < len(expected)]]
  inside = inside[~np.isnan(inside)]
  return float(inside.mean()) if inside.size else None
