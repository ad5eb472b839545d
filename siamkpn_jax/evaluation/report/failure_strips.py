"""Failure strips: some frames around the loss of a target."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from siamkpn_jax.core import boxes
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats.annotations import Annotation
from siamkpn_jax.evaluation import scoring
from siamkpn_jax.evaluation.formats import regions, vot_results
from siamkpn_jax.evaluation.formats import sequences as layouts
from siamkpn_jax.evaluation.formats.result_files import (
  find_results,
  find_spellings,
  read_result,
)
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence, frame_size
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.report.details import worst_first
from siamkpn_jax.evaluation.report.entries import Entry
from siamkpn_jax.evaluation.report.measures import is_vot

FRAMES = 8  # in a strip
_AFTER = 2  # of them, past the loss
_LARGEST_STEP = 10  # frames from one to the next
_LOST = 5  # so many frames without overlap mean that the target is lost


@dataclasses.dataclass(frozen=True, eq=False)
class FailureStrip:
  """Some frames of a sequence.

  Attributes:
    name: of the sequence.
    text: how the tracker fared.
    images: n files.
    frames: [n] their places in the sequence, from 0.
    lost: the place at which the target was lost; -1 for nowhere.
    truth: [n, 4, 2] corners (x, y) in 0-based pixels, NaN where there are none.
    result: the same of the tracker.
  """
  name: str
  text: str
  images: tuple[Path, ...]
  frames: np.ndarray
  lost: int
  truth: np.ndarray
  result: np.ndarray


# Name of a sequence -> makes its strip, given the name that is shown.
_Readers = Mapping[str, Callable[[str], FailureStrip]]


def worst_strips(entry: Entry, data: Path,
                 count: int) -> tuple[list[FailureStrip], list[str]]:
  """At most so many strips of the sequences on which a tracker was worst.

  Its result files must still be there; the data's folder may hold some of the
  sequences.

  Returns:
    The strips, and notes on what is missing.

  Raises:
    UserError: there are no results or no annotations.
  """
  results = Path(entry.texts['results'])
  if not entry.texts['results']:
    raise UserError(f'scores of {entry.name}: no path of the result files; '
                    'expected the key "results": score again')
  if is_vot(entry.kind):
    sequences = _supervised(entry, data, results)
  else:
    sequences = _one_pass(entry, data, results)
  spelled = find_spellings(entry.sequences, sequences)
  names = [n for n in worst_first(entry) if len(spelled[n]) == 1]
  missing = len(entry.sequences) - len(names)
  notes = [f'{data} has only {len(names)} of the {len(entry.sequences)} '
           'sequences; failures in the others are not shown'] if missing else []
  found: list[FailureStrip] = []
  for name in names:
    if len(found) == count:
      break
    try:
      found.append(sequences[spelled[name][0]](name))
    except UserError as error:
      notes.append(str(error))
  return found, notes


def whole_sequence(name: str, images: Sequence[Path], truth_xywh: np.ndarray,
                   result_xywh: np.ndarray, count: int) -> FailureStrip:
  """[t] images from the first to the last, in `count` equal steps.

  Boxes [t, 4], annotated and of the tracker, are in 0-based pixels.
  """
  frames = np.linspace(0, len(images) - 1, count).round().astype(int)
  return FailureStrip(
      name, '', tuple(images[i] for i in frames), frames, -1,
      _corners(truth_xywh[frames]), _corners(result_xywh[frames]))


def moment_of_loss(overlaps: np.ndarray) -> tuple[int, bool]:
  """Where the target is lost.

  Args:
    overlaps: [t], NaN where the target has no annotation.

  Returns:
    The first of at least `_LOST` annotated frames without overlap (or of those
    that the sequence ends with), and True; where there are none the frame of
    the smallest overlap, and False.
  """
  known = np.flatnonzero(~np.isnan(overlaps))
  if not known.size:
    return 0, False
  missed = overlaps[known] <= 0
  for i in np.flatnonzero(missed):
    if missed[i:i + _LOST].all():
      return int(known[i]), True
  return int(known[overlaps[known].argmin()]), False


def choose_frames(lost: int, length: int) -> np.ndarray:
  """[n] places, in equal steps, up to and past the place of the loss."""
  before = FRAMES - 1 - _AFTER
  step = int(np.clip(lost // before, 1, _LARGEST_STEP))
  frames = max(0, lost - before * step) + step * np.arange(FRAMES)
  return frames[frames < length]


def _one_pass(entry: Entry, data: Path, results: Path) -> _Readers:
  annotations = layouts.load_annotations(entry.benchmark, data, failed={})
  # Here may be fewer sequences than were scored.
  known = {*entry.sequences, *(a.name for a in annotations)}
  from_0 = layouts.fitting(entry.zero_based, known)

  def read(annotation: Annotation, name: str) -> FailureStrip:
    annotation = layouts.counted(annotation, from_0)
    sequence = layouts.with_frames(annotation)
    (path, *_) = find_results(results, [name], entry.sequences)[name]
    boxes_xywh = scoring.annotated_part(annotation, read_result(path), [])
    # From the pixels of the file to those of the image.
    by = (entry.figures.get('shift') or 0) - sequence.origin
    boxes_xywh = boxes_xywh[:len(sequence)] + np.array([by, by, 0, 0])
    boxes_xywh = np.pad(
        boxes_xywh, ((0, len(sequence) - len(boxes_xywh)), (0, 0)),
        constant_values=np.nan)
    truth, result = map(_corners, (sequence.boxes_xywh, boxes_xywh))
    with np.errstate(all='ignore'):
      overlaps = np.nan_to_num(boxes.iou_xywh(boxes_xywh, sequence.boxes_xywh))
    overlaps[np.isnan(result[:, 0, 0])] = 0
    overlaps[np.isnan(truth[:, 0, 0])] = np.nan
    key = entry.kind[0]
    score = f'{key.label} {key.show(entry.sequences[name].get(key.key))}'
    return _strip(name, score, sequence.frames, overlaps, truth, result)

  return {a.name: functools.partial(read, a) for a in annotations}


def _supervised(entry: Entry, data: Path, results: Path) -> _Readers:
  root = results / vot_results.EXPERIMENT
  root = root if root.is_dir() else results
  rule = vot.find_protocol(entry.protocol, entry.benchmark).rule

  def read(sequence: VotSequence, name: str) -> FailureStrip:
    run = vot_results.read_run(
        vot_results.existing_file(root, sequence.name), sequence)
    overlaps = vot.region_overlaps(run, sequence.truth, frame_size(sequence),
                                   rule)
    failed = np.flatnonzero(run.marked(regions.FAILED))
    if failed.size:  # where it has no region, and would not count
      overlaps[failed[0]:] = 0
    result = regions.corners(run, inclusive=False)
    result[~run.present] = np.nan
    failures = entry.sequences[name].get('failures') or 0
    text = f'{failures:g} failure{"" if failures == 1 else "s"}'
    return _strip(name, text, sequence.frames, overlaps,
                  regions.corners(sequence.truth, inclusive=False), result)

  return {s.name: functools.partial(read, s)
          for s in scoring.load_vot_sequences(entry.benchmark, data, failed={})
          if s.frames}


def _strip(name: str, score: str, images: Sequence[Path], overlaps: np.ndarray,
           truth: np.ndarray, result: np.ndarray) -> FailureStrip:
  lost, is_lost = moment_of_loss(overlaps)
  frames = choose_frames(lost, len(images))
  event = (f'lost in frame {lost + 1}' if is_lost else
           f'never lost, lowest overlap in frame {lost + 1}')
  return FailureStrip(
      name, f'{score}; {event} of {len(images)}',
      tuple(images[i] for i in frames), frames, lost, truth[frames],
      result[frames])


def _corners(boxes_xywh: np.ndarray) -> np.ndarray:
  """[t, 4] -> [t, 4, 2]; NaN where a box is not finite or has no area."""
  x, y, w, h = boxes_xywh.T
  corners = np.stack([x, y, x + w, y, x + w, y + h, x, y + h], axis=1)
  fine = np.isfinite(boxes_xywh).all(axis=1) & (w > 0) & (h > 0)
  return np.where(fine[:, None], corners, np.nan).reshape(-1, 4, 2)
