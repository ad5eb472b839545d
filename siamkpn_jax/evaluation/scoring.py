"""Scores of result files: what `python -m siamkpn_jax.score` does.

`SCORERS` has one function for each benchmark. It is given a `ScoringRequest`
and returns the summary that becomes the JSON file: the benchmark's figures, and
under `sequences` and `attributes` those of each sequence and each attribute.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats.annotations import Annotation, usable
from siamkpn_jax.evaluation import unusual
from siamkpn_jax.evaluation.formats import attributes, vot_results
from siamkpn_jax.evaluation.formats import sequences as layouts
from siamkpn_jax.evaluation.formats.result_files import (
  find_results,
  read_result,
)
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence, find_vot
from siamkpn_jax.evaluation.metrics import got10k, ope, protocols, vot

_LARGEST_SHIFT = 1000  # pixels; toolkits differ by one
_VOT = ('vot2016', 'vot2018', 'vot2019')
# Every protocol of a one-pass benchmark; `got10k` is short for `otb_got10k`.
ONE_PASS = {**protocols.ONE_PASS, 'got10k': protocols.OTB_GOT10K}


@dataclasses.dataclass(frozen=True)
class ScoringRequest:
  """What is to be scored.

  Attributes:
    benchmark: a key of `SCORERS`.
    annotations: the benchmark's annotations; see sequences.py.
    results: the folder of result files; see result_files.py.
    protocol: the rule; None: the benchmark's own.
    attributes: file or folder of attributes; None: those beside the
      annotations, if there are any.
    sequences: names or patterns; empty for all.
    shift: added to x and y of the results, in pixels.
    failed: sequences that are left out as there is no result, and why; `score`
      adds those whose annotation cannot be used.
  """
  benchmark: str
  annotations: Path
  results: Path
  protocol: str | None = None
  attributes: Path | None = None
  sequences: tuple[str, ...] = ()
  shift: float = 0
  failed: dict[str, str] = dataclasses.field(default_factory=dict)


def score(request: ScoringRequest) -> dict[str, Any]:
  """Scores result files.

  Returns:
    The summary, ready for JSON: `benchmark`, `protocol`, the figures, `notes`
    (what was unusual), `sequences`, `attributes`, and `failed` if some
    sequences are not scored: name and reason.

  Raises:
    UserError: an unknown protocol, or files that cannot be scored.
  """
  if not abs(request.shift) <= _LARGEST_SHIFT:
    raise UserError(f'--shift={request.shift}: expected a finite number of '
                    f'pixels, at most {_LARGEST_SHIFT}')
  request = dataclasses.replace(request, failed=dict(request.failed))
  summary = SCORERS[request.benchmark](request)
  summary |= {'failed': dict(request.failed)} if request.failed else {}
  summary['notes'] = [
      *(f'not scored, as it failed: {n}: {w}' for n, w in request.failed.items()
        ), *summary['notes'], *(
          [] if request.sequences else
          unusual.missing(request.benchmark, summary['sequences']))]
  return summary


def _score_one_pass(request: ScoringRequest) -> dict[str, Any]:
  rule = find_rule(request.benchmark, request.protocol)
  assert isinstance(rule, protocols.OnePass)
  annotations, runs, notes = _read(request)
  scores = {}
  for annotation in annotations:
    paths, (boxes_xywh, *_) = runs[annotation.name]
    notes += unusual.counts(annotation, len(boxes_xywh), paths)
    try:
      scores[annotation.name] = ope.score_sequence(
          boxes_xywh, annotation.boxes_xywh, protocol=rule,
          visible=annotation.visible)
    except UserError as error:
      raise UserError(f'{paths[0]}: {error}') from error
  mean = ope.mean_score(scores)
  annotated = {a.name: int(ope.counted_frames(a.boxes_xywh, rule).sum())
               for a in annotations}
  return {
      **_head(request, rule.name, rule.source, len(scores), mean.frames),
      'num_annotated_frames': sum(annotated.values()),
      **_one_pass_figures(mean),
      'notes': notes,
      'sequences': {n: {'frames': s.frames, 'annotated_frames': annotated[n],
                        **_one_pass_figures(s)} for n, s in scores.items()},
      'attributes': {
          attribute: {'num_sequences': len(names), **_one_pass_figures(
              ope.mean_score({n: scores[n] for n in names}))}
          for attribute, names in _by_attribute(annotations).items()},
      'success_curve': mean.success_curve.tolist(),
      'precision_curve': mean.precision_curve.tolist(),
      'norm_precision_curve': mean.norm_precision_curve.tolist(),
  }


def _score_got10k(request: ScoringRequest) -> dict[str, Any]:
  if request.attributes:
    raise UserError('--attributes: not used with got10k, whose protocol has '
                    'none: omit the flag')
  find_rule(request.benchmark, request.protocol)
  annotations, runs, notes = _read(request)
  overlaps = {}
  for annotation in annotations:
    paths, boxes_xywh = runs[annotation.name]
    if annotation.frame_size is None:
      notes.append(f'{annotation.name}: no meta_info.ini, so boxes are not '
                   'clipped to the image')
    if annotation.visible is None:
      notes.append(f'{annotation.name}: no cover.label, so all frames count')
    try:
      overlaps[annotation.name] = got10k.sequence_overlaps(
          boxes_xywh, annotation.boxes_xywh, visible=annotation.visible,
          frame_size=annotation.frame_size)
    except UserError as error:
      raise UserError(f'{paths[0]}: {error}') from error
  every = np.concatenate(list(overlaps.values()))
  if not every.size:
    raise UserError(f'{request.annotations}: only the first frame of each '
                    'sequence is annotated; expected the validation set: '
                    'submit results of the test set to its server')
  return {
      **_head(request, got10k.PROTOCOL, 'the GOT-10k toolkit', len(overlaps),
              every.size),
      **got10k.figures(every),
      'notes': notes,
      'sequences': {n: {'frames': o.size, **got10k.figures(o)}
                    for n, o in overlaps.items()},
      'attributes': {},
      'success_curve': ope.success_curve(every, got10k.THRESHOLDS).tolist(),
  }


def _score_vot(request: ScoringRequest) -> dict[str, Any]:
  for flag, given in (('attributes', request.attributes),
                      ('shift', request.shift)):
    if given:
      raise UserError(f'--{flag}: not used with {request.benchmark}, whose own '
                      'files define it: omit the flag')
  rule = find_rule(request.benchmark, request.protocol)
  assert isinstance(rule, vot.Protocol)
  sequences = load_vot_sequences(request.benchmark, request.annotations,
                                 request.sequences, without={*request.failed},
                                 failed=request.failed)
  _check_any(sequences, request)
  runs = vot_results.read_runs(sequences, request.results)
  summary = vot.score(sequences, runs, rule)
  frames = summary.pop('num_frames')
  head = _head(request, rule.name, summary.pop('source'), len(sequences),
               frames)
  return head | {'notes': [], 'attributes': summary.pop('tags')} | summary


def load_vot_sequences(
    benchmark: str, path: Path, names: Collection[str] = (), *,
    without: Collection[str] = (), failed: dict[str, str] | None = None
) -> list[VotSequence]:
  """Reads a VOT benchmark: its folder, or pysot's file in or as `path`.

  Names or patterns select; empty: all. For `failed` see `load_benchmark`.

  Raises:
    UserError: nothing to read, an unknown name, or a damaged annotation.
  """
  json = path / f'{benchmark.upper()}.json'
  found = layouts.select(find_vot(json if json.is_file() else path), names)
  return usable((s for s in found if s.name not in without), failed)


# One-pass benchmark -> its own protocol.
OWN_PROTOCOLS = {
    'otb': 'otb',
    'lasot': 'lasot',
    'uav123': 'uav123_got10k',
    'nfs': 'otb_got10k',
    'nfs240': 'otb_got10k',
    'folder': 'otb_got10k',
}

# Benchmark -> scores a request for it.
SCORERS: Mapping[str, Callable[[ScoringRequest], dict[str, Any]]] = {
    **dict.fromkeys(OWN_PROTOCOLS, _score_one_pass),
    'got10k': _score_got10k,
    **dict.fromkeys(_VOT, _score_vot),
}


def find_rule(benchmark: str, protocol: str | None
              ) -> protocols.OnePass | vot.Protocol | None:
  """The rule of this name, or the benchmark's own; None: that of GOT-10k.

  Raises:
    UserError: the benchmark cannot be scored by it.
  """
  if benchmark in _VOT:
    return vot.find_protocol(protocol or vot.OWN_RULE, benchmark)
  known: Mapping[str, protocols.OnePass | None] = (
      {got10k.PROTOCOL: None} if benchmark == 'got10k' else ONE_PASS)
  name = protocol or OWN_PROTOCOLS.get(benchmark, got10k.PROTOCOL)
  if name not in known:
    raise UserError(f'--protocol {name}: unknown for {benchmark}; expected one '
                    f'of {", ".join(sorted(known))}')
  return known[name]


def _head(request: ScoringRequest, protocol: str, source: str, count: int,
          frames: int) -> dict[str, Any]:
  return {
      'benchmark': request.benchmark, 'protocol': protocol, 'rule': source,
      'annotations': str(request.annotations), 'results': str(request.results),
      'shift': request.shift, 'num_sequences': count, 'num_frames': frames}


def _one_pass_figures(result: ope.Score) -> dict[str, float]:
  return {'success_auc': result.success_auc,
          'precision_20': result.precision_20,
          'norm_precision': result.norm_precision,
          'norm_precision_auc': result.norm_precision_auc}


def _read(request: ScoringRequest
          ) -> tuple[list[Annotation], unusual.Runs, list[str]]:
  """Annotations, each one's result files and boxes, and notes."""
  everything = layouts.find_annotations(request.benchmark, request.annotations)
  names = [a.name for a in everything]
  chosen = [a for a in layouts.select(everything, request.sequences)
            if a.name not in request.failed]
  annotations = _annotated(usable(chosen, request.failed), request)
  annotations, notes = attributes.find_for(
      annotations, request.attributes, request.annotations, request.benchmark,
      names)
  paths = find_results(request.results, [a.name for a in annotations], names)
  shift = np.array([1, 1, 0, 0]) * request.shift
  runs: dict[str, tuple[list[Path], list[np.ndarray]]] = {}
  for annotation in annotations:
    files = paths[annotation.name]
    boxes = [annotated_part(annotation, read_result(f), notes)
             for f in files]
    runs[annotation.name] = files, [b + shift for b in boxes]
  return annotations, runs, notes + unusual.shifted(annotations, runs)


def _annotated(annotations: list[Annotation],
               request: ScoringRequest) -> list[Annotation]:
  """Those with more than their first box; others are noted as failed.

  Raises:
    UserError: there is none.
  """
  bare = [a.name for a in annotations if len(a) == 1]
  if bare and len(bare) == len(annotations):
    raise UserError(
        f'{request.annotations}: sequence {bare[0]} has only its first box; '
        'expected one box per frame: submit results of a test set to its '
        'server')
  request.failed.update({
      name: f'{request.annotations}: sequence {name} has only its first box; '
      'expected one box per frame: complete the annotation' for name in bare})
  _check_any(annotations, request)
  return [a for a in annotations if len(a) > 1]


def _check_any(found: Collection[Annotation] | Collection[VotSequence],
               request: ScoringRequest) -> None:
  """Checks that a sequence is left.

  Raises:
    UserError: why there is none.
  """
  if request.failed and not found:
    raise UserError(next(iter(request.failed.values())))


def annotated_part(annotation: Annotation, boxes_xywh: np.ndarray,
                   notes: list[str]) -> np.ndarray:
  """[n, 4] boxes without those of frames before the annotated ones.

  Where there are any of these, a note is added.
  """
  first, last = annotation.frame_range or (1, 0)
  if len(boxes_xywh) == last > len(annotation) == last - first + 1:
    notes.append(f'{annotation.name}: only frames {first} to {last} of {last} '
                 'are scored, as annotated')
    return boxes_xywh[first - 1:]
  return boxes_xywh


def _by_attribute(annotations: list[Annotation]) -> dict[str, list[str]]:
  """Attribute -> names of the sequences that have it."""
  found: dict[str, list[str]] = {}
  for annotation in annotations:
    for attribute in annotation.attributes:
      found.setdefault(attribute, []).append(annotation.name)
  return {attribute: found[attribute] for attribute in sorted(found)}
