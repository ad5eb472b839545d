"""Accuracy, robustness and EAO of the supervised experiment of VOT.

The tracker is started on the first frame; when its region has no overlap with
the annotation it has failed and is started again five frames later. Accuracy is
the mean overlap while it tracks, without the ten frames from each start
(burn-in); failures are counted; EAO (see eao.py) joins both. The toolkits agree
on that and differ in the rest: overlap, averages, repetitions, the window of
EAO. docs/reference/protocols.md compares them; a protocol is one of them for
one benchmark.

The windows were found by the challenges from the lengths of their sequences:
the interval of equal density, a kernel density estimate, that holds half.

Sources: pysot toolkit/evaluation (commit c7fd71c); vot-toolkit 0.7.4,
vot/analysis/supervised.py and vot/stack/vot20{16,18,19}.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import regions, vot_results
from siamkpn_jax.evaluation.formats.regions import Regions
from siamkpn_jax.evaluation.formats.vot_sequences import (
  VotSequence,
  frame_size,
  load_vot,
)
from siamkpn_jax.evaluation.metrics import eao, overlap

OWN_RULE = 'pysot'  # by which published trackers are compared
_WINDOWS = {'vot2016': (108, 371), 'vot2018': (100, 356), 'vot2019': (46, 291)}
_SOURCES = {'pysot': 'pysot toolkit/evaluation, commit c7fd71c',
            'vot-toolkit': 'vot-toolkit 0.7.4, vot/analysis/supervised.py'}


@dataclasses.dataclass(frozen=True)
class Protocol:
  """Everything that decides about a number.

  Attributes:
    name: as reports write it.
    rule: whose rule it is, `pysot` or `vot-toolkit`.
    window: shortest and longest length that EAO averages over, in frames.
    source: where the rule comes from.
    burn_in: frames from each start that do not count for accuracy.
    skip: frames from a failure to the next start.
  """
  name: str
  rule: str
  window: tuple[int, int]
  source: str
  burn_in: int = 10
  skip: int = 5

  @property
  def lengths(self) -> range:
    """Indices into the curve of EAO; pysot counts the start as a frame."""
    low, high = self.window
    first = 1 if self.rule == 'pysot' else 0
    return range(low - first, high - first + 1)


PROTOCOLS = {
    f'{benchmark}_{rule}': Protocol(f'{benchmark}_{rule}', rule, window, source)
    for benchmark, window in _WINDOWS.items()
    for rule, source in _SOURCES.items()}


@dataclasses.dataclass(frozen=True, eq=False)
class _Run:
  """One repetition on one sequence: [t] overlaps for accuracy and for EAO."""
  trajectory: Regions
  overlaps: np.ndarray
  eao_overlaps: np.ndarray
  burnt_in: np.ndarray  # [t] bool, frames that count for accuracy


def find_protocol(name: str, benchmark: str = '') -> Protocol:
  """The protocol of this name, or of this rule for a benchmark if one is given.

  Raises:
    UserError: there is none.
  """
  found = PROTOCOLS.get(name) or PROTOCOLS.get(f'{benchmark}_{name}')
  if found is None:
    rules = f'{" or ".join(_SOURCES)}, or ' if benchmark else ''
    place = f' for {benchmark}' if benchmark else ''
    raise UserError(f'protocol {name}: unknown{place}; expected {rules}one of '
                    f'{", ".join(PROTOCOLS)}')
  return found


def score_results(annotations: str | Path, results: str | Path,
                  protocol: str | Protocol) -> dict[str, Any]:
  """Scores the result files of a tracker.

  Args:
    annotations: pysot's JSON file or a folder, see vot_sequences.py.
    results: folder with `baseline/<sequence>/<sequence>_001.txt`, `_002`, ...
      (or `.bin`, as the vot-toolkit writes), or the folder `baseline` itself.
    protocol: one of `PROTOCOLS`, or its name.

  Returns:
    The scores, see `score`.

  Raises:
    UserError: a file is missing, damaged, too short or too long, or the
      protocol is not known.
  """
  if isinstance(protocol, str):
    protocol = find_protocol(protocol)
  sequences = load_vot(annotations)
  return score(sequences, vot_results.read_runs(sequences, results), protocol)


def score(sequences: Sequence[VotSequence],
          runs: Mapping[str, Sequence[Regions]],
          protocol: Protocol) -> dict[str, Any]:
  """Scores runs that were read or made.

  Args:
    sequences: with different names.
    runs: name -> repetitions, at least one each, checked as by `read_run`.
    protocol: the rule.

  Returns:
    `eao`, `accuracy`, `robustness` and `failures` (a sum over sequences, of
    the mean over repetitions); the `protocol`; `sequences`: name -> accuracy,
    robustness, failures, frames; `tags`: the same as for all frames, for the
    frames of each tag (and `empty`: those without any) and what happens in
    them; `eao_curve`. What no frame can tell is None.

  Raises:
    UserError: the size of a sequence's frames is not known.
  """
  measured = {s.name: _measure(s, runs[s.name], protocol) for s in sequences}
  masks = _tag_masks(sequences)
  everything = {s.name: np.ones(len(s), bool) for s in sequences}
  expected = _curve(measured, everything, protocol)
  return {
      'protocol': protocol.name,
      'source': protocol.source,
      **_scores(measured, everything, protocol),
      'num_sequences': len(sequences),
      'num_frames': sum(len(s) for s in sequences),
      'sequences': {
          s.name: {**_accuracy_robustness({s.name: measured[s.name]},
                                          everything, protocol),
                   'frames': len(s), 'repetitions': len(measured[s.name])}
          for s in sequences},
      'tags': {
          tag: {**_scores(measured, mask, protocol),
                'frames': int(sum(m.sum() for m in mask.values()))}
          for tag, mask in masks.items()},
      'eao_curve': [None if np.isnan(v) else float(v) for v in expected],
  }


def region_overlaps(a: Regions, b: Regions, size: tuple[int, int],
                    rule: str) -> np.ndarray:
  """[t], [t] regions -> [t] overlap in frames of a size (w, h), as accuracy."""
  if rule == 'pysot':
    return overlap.pysot(a, b, *size)
  return overlap.vot_toolkit(a, b, *size)


def eao_overlaps(a: Regions, b: Regions, size: tuple[int, int],
                 rule: str) -> np.ndarray:
  """The same as EAO has it: pysot counts fewer pixels there."""
  if rule == 'pysot':
    width, height = size
    return overlap.pysot(a, b, width - 1, height - 1)
  return region_overlaps(a, b, size, rule)


def fragments(run: Regions, overlaps: np.ndarray, tagged: np.ndarray,
              protocol: Protocol) -> list[eao.Fragment]:
  """A run cut at its failures; arguments as of `eao.pysot_fragments`."""
  if protocol.rule == 'pysot':
    return eao.pysot_fragments(run, overlaps, tagged, protocol.skip)
  return eao.toolkit_fragments(run, overlaps, tagged)


def expected_curve(cut: Sequence[eao.Fragment], longest_run: int,
                   protocol: Protocol) -> np.ndarray:
  """The curve that EAO is a mean of, as long as eao.py says."""
  if protocol.rule != 'pysot':
    longest_run = max(len(fragment.overlaps) for fragment in cut)
  return eao.curve(cut, longest_run)


def _measure(sequence: VotSequence, runs: Sequence[Regions],
             protocol: Protocol) -> list[_Run]:
  size = frame_size(sequence)
  if protocol.rule == 'pysot' and len(runs) != 15:
    runs = runs[:1]
  return [_measure_run(sequence, run, size, protocol) for run in runs]


def _measure_run(sequence: VotSequence, run: Regions, size: tuple[int, int],
                 protocol: Protocol) -> _Run:
  overlaps = region_overlaps(run, sequence.truth, size, protocol.rule)
  for_eao = eao_overlaps(run, sequence.truth, size, protocol.rule)
  burnt_in = ~np.isnan(overlaps)
  for start in np.flatnonzero(run.marked(regions.STARTED)):
    burnt_in[start:start + protocol.burn_in] = False
  return _Run(run, overlaps, for_eao, burnt_in)


def _tag_masks(
    sequences: Sequence[VotSequence]) -> dict[str, dict[str, np.ndarray]]:
  """Tag -> name of the sequence -> [t] bool."""
  tags = sorted({tag for s in sequences for tag in s.tags})
  masks = {
      tag: {s.name: s.tags.get(tag, np.zeros(len(s), bool)) for s in sequences}
      for tag in tags}
  if tags:
    masks['empty'] = {
        s.name: ~np.any([masks[tag][s.name] for tag in tags], axis=0)
        for s in sequences}
  return masks


def _scores(measured: Mapping[str, list[_Run]],
            masks: Mapping[str, np.ndarray],
            protocol: Protocol) -> dict[str, float | None]:
  expected = _curve(measured, masks, protocol)
  return {'eao': eao.mean_over(expected, protocol.lengths),
          **_accuracy_robustness(measured, masks, protocol)}


def _curve(measured: Mapping[str, list[_Run]], masks: Mapping[str, np.ndarray],
           protocol: Protocol) -> np.ndarray:
  cut = [
      fragment for name, runs in measured.items() for run in runs
      for fragment in fragments(run.trajectory, run.eao_overlaps, masks[name],
                                protocol)]
  longest = max(len(run.trajectory) for runs in measured.values()
                for run in runs)
  return expected_curve(cut, longest, protocol)


def _accuracy_robustness(measured: Mapping[str, list[_Run]],
                         masks: Mapping[str, np.ndarray],
                         protocol: Protocol) -> dict[str, float | None]:
  """Over the frames of the masks, [t] bool for each sequence."""
  frames = np.array([masks[name].sum() for name in measured])
  failures = np.array([
      np.mean([(run.trajectory.marked(regions.FAILED) & masks[name]).sum()
               for run in runs]) for name, runs in measured.items()])
  if not frames.any():
    return {'accuracy': None, 'robustness': None, 'failures': 0.0}
  if protocol.rule == 'pysot':
    pooled = np.concatenate([_frame_accuracy(runs)[masks[name]]
                             for name, runs in measured.items()])
    pooled = pooled[~np.isnan(pooled)]
    accuracy = float(pooled.mean()) if pooled.size else None
    robustness = 100 * failures.sum() / frames.sum()
  else:
    means = [np.mean([_mean_or_zero(run.overlaps[run.burnt_in & masks[name]])
                      for run in runs]) for name, runs in measured.items()]
    accuracy = float(np.average(means, weights=frames))
    robustness = np.average(failures, weights=frames)
  return {'accuracy': accuracy, 'robustness': float(robustness),
          'failures': float(failures.sum())}


def _frame_accuracy(runs: Sequence[_Run]) -> np.ndarray:
  """[t] mean over the repetitions that have a value, NaN where none has."""
  counts = np.sum([run.burnt_in for run in runs], axis=0)
  total = np.sum([np.where(run.burnt_in, run.overlaps, 0) for run in runs],
                 axis=0)
  return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def _mean_or_zero(values: np.ndarray) -> float:
  return float(values.mean()) if values.size else 0.0
