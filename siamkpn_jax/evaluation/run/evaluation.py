"""Evaluates a tracker on a benchmark: what `evaluate` does.

An `EvaluationPlan` knows the sequences, what is left to run and how to score;
it is made without a tracker, so that mistakes in the data show at once.
"""

import dataclasses
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.atomic_io import atomic_paths, file_errors
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.stored_json import read_json
from siamkpn_jax.datasets.formats import has_otb_layout
from siamkpn_jax.datasets.formats.annotations import noted
from siamkpn_jax.evaluation import scoring
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.evaluation.formats import sequences as layouts
from siamkpn_jax.evaluation.formats.sequences import Video
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.run import jobs, supervised
from siamkpn_jax.evaluation.run.jobs import Job
from siamkpn_jax.evaluation.run.one_pass import one_pass_job
from siamkpn_jax.evaluation.run.protocol import MultiTargetTracker

BENCHMARKS = tuple(sorted({*scoring.SCORERS, *layouts.BENCHMARKS}))
_SUBMITTED = ('got10k', 'trackingnet')  # scored by a server, from a zip file


@dataclasses.dataclass(frozen=True)
class EvaluationRequest:
  """What is to be evaluated.

  Attributes:
    benchmark: one of `BENCHMARKS`.
    data: the benchmark's folder, annotations and images.
    output: folder for the results.
    protocol: the rule of the scores; None: the benchmark's own.
    sequences: names or patterns; empty for all.
    zero_based: names or patterns of OTB sequences that count pixels from 0.
    shard: (k, n): run the k-th of n parts of the sequences, k from 0.
  """
  benchmark: str
  data: Path
  output: Path
  protocol: str | None = None
  sequences: tuple[str, ...] = ()
  zero_based: tuple[str, ...] = ()
  shard: tuple[int, int] = (0, 1)


@dataclasses.dataclass(frozen=True, eq=False)
class EvaluationPlan:
  """An evaluation that can be run.

  Attributes:
    request: what was asked for.
    jobs: one for each sequence.
    hidden: the annotation has the first boxes alone; a server scores.
    unusable: sequences that no job is for, and why.
  """
  request: EvaluationRequest
  jobs: Sequence[Job]
  hidden: bool
  unusable: Mapping[str, str] = dataclasses.field(default_factory=dict)

  @property
  def settings(self) -> dict[str, Any]:
    """What decides about boxes, beside the tracker."""
    request = self.request
    settings = {'benchmark': request.benchmark,
                'zero_based': list(request.zero_based)}
    rule = scoring.find_rule(request.benchmark, request.protocol)
    if isinstance(rule, vot.Protocol):
      settings['protocol'] = rule.name
    return settings

  def mine(self) -> list[Job]:
    """The jobs of this shard, long and short ones dealt out evenly."""
    k, n = self.request.shard
    longest_first = sorted(
        self.jobs, key=lambda job: (-len(job.task.frames), job.task.name))
    return longest_first[k::n]

  def left(self) -> list[Job]:
    """Those of this shard that have no result yet.

    Raises:
      UserError: a result file is damaged.
    """
    return jobs.unfinished(self.mine())

  def failed(self) -> dict[str, str]:
    """The sequences that could not be run, and why; those of all shards."""
    return {**self.unusable, **jobs.failures(self.jobs)}


def make_plan(request: EvaluationRequest) -> EvaluationPlan:
  """Reads annotations and finds images.

  Raises:
    UserError: an unknown protocol or sequence, or data that cannot be used.
  """
  # An unknown protocol is to be reported before hours of work.
  rule = scoring.find_rule(request.benchmark, request.protocol)
  if request.zero_based and not has_otb_layout(request.benchmark):
    raise UserError(f'--zero_based: not used with {request.benchmark}, whose '
                    'layout defines it: omit the flag')
  if isinstance(rule, vot.Protocol):
    return _plan_vot(request, rule)
  failed: dict[str, str] = {}
  if request.zero_based:
    found = layouts.load_otb(request.data, names=request.sequences,
                             zero_based=request.zero_based, failed=failed)
  else:
    found = layouts.load_benchmark(request.benchmark, request.data,
                                   sequences=request.sequences, failed=failed)
  hidden = _hidden(found, request)
  if not hidden:
    for sequence in found:
      with noted(sequence.name, failed):
        _check_scorable(sequence)
  fine = [s for s in found if s.name not in failed]
  _check_any(fine, failed)
  return EvaluationPlan(
      request, [one_pass_job(s, request.output, request.benchmark)
                for s in fine], hidden, failed)


def run(plan: EvaluationPlan, tracker: MultiTargetTracker,
        details: Mapping[str, Any], *,
        remarks: Mapping[str, Any] | None = None,
        progress: bool = True) -> dict[str, Any] | None:
  """Runs what is left of this shard; scores when all shards are finished.

  Args:
    plan: see `make_plan`.
    tracker: see `MultiTargetTracker`.
    details: of the tracker, as JSON can hold them; with the plan's settings
      they must be those that the folder of results was begun with.
    remarks: more entries for the summary, which may differ from those before.
    progress: show a progress bar on stderr.

  Returns:
    The summary as in summary.json: settings, speed and, unless a server has to
    score, what `scoring.score` says. None while sequences of other shards are
    not finished.

  Raises:
    UserError: see `jobs.run_jobs` and `scoring.score`; results of other
      settings or damaged ones in the folder.
  """
  output = results.make_folder(plan.request.output)
  settings = {**details, **plan.settings}
  jobs.check_settings(output, settings, plan.jobs)
  left = plan.left()
  end_to_end = jobs.run_jobs(tracker, left, plan.mine(), progress=progress,
                             keep_failures=True)
  failed = plan.failed()
  done = [job for job in plan.jobs if job.task.name not in failed]
  if len(left) < len(plan.jobs) or failed:
    end_to_end = None  # of a part, which is not what is reported
  if jobs.unfinished(done):
    return None
  if not done:
    raise jobs.untracked([*failed.values()])
  remarks = {**(remarks or {}),
             'frames_per_second_network': tracker.network_speed(),
             'frames_per_second_end_to_end': end_to_end}
  if not left:  # they are about the run that tracked
    remarks |= _earlier(output / 'summary.json', remarks)
  summary = {**settings, **remarks,
             'frames_per_second': jobs.update_speed(done)}
  if plan.request.benchmark in _SUBMITTED and not failed:
    summary['submission'] = str(_write_zip(plan, output / 'submission.zip'))
  if plan.hidden:
    summary |= {'num_sequences': len(done), 'num_frames': sum(
        len(job.task.frames) for job in done)}
    summary |= {'failed': failed} if failed else {}
  else:
    request = plan.request
    summary |= scoring.score(scoring.ScoringRequest(
        request.benchmark, request.data, request.output, request.protocol,
        sequences=request.sequences, failed=failed))
  results.write_summary(output / 'summary.json', summary)
  return summary


def _hidden(found: Sequence[Video], request: EvaluationRequest) -> bool:
  """Whether a server has to score: its benchmark keeps the boxes to itself.

  Of another benchmark, boxes that are missing are a mistake.
  """
  return request.benchmark not in scoring.SCORERS or (
      request.benchmark in _SUBMITTED and
      any(len(s) > 1 for s in found) and
      all(np.isnan(s.boxes_xywh[1:]).all() for s in found))


def _check_scorable(sequence: Video) -> None:
  """Checks that there is something to compare a result with.

  Raises:
    UserError: there is not.
  """
  jobs.check_length(sequence.name, len(sequence))
  if np.isnan(sequence.boxes_xywh[1:]).all():
    raise UserError(f'sequence {sequence.name}: has only its first box for '
                    f'{len(sequence)} frames; expected one box per frame: '
                    'complete the annotation')


def _check_any(fine: Collection[Video] | Collection[VotSequence],
               failed: Mapping[str, str]) -> None:
  """Checks that there are sequences to run, and their names.

  Raises:
    UserError: there are none, or names that cannot be.
  """
  if failed and not fine:
    raise jobs.untracked([*failed.values()])
  jobs.check_names([s.name for s in fine])


def _earlier(path: Path, remarks: Mapping[str, Any]) -> dict[str, Any]:
  """What an earlier summary says instead of these, as far as it makes sense."""
  try:
    before = read_json(path, 'the scores of an evaluation')
  except UserError:  # none, or damaged: written again
    return {}
  return {key: before[key] for key, value in remarks.items()
          if key in before and _is_such(before[key], value, key)}


def _is_such(found: Any, value: Any, key: str) -> bool:
  """Whether what was found can stand in the place of a remark."""
  if key.startswith('frames_per_second'):
    return found is None or type(found) in (int, float)
  return type(found) is type(value)


def _plan_vot(request: EvaluationRequest,
              protocol: vot.Protocol) -> EvaluationPlan:
  failed: dict[str, str] = {}
  found = scoring.load_vot_sequences(
      request.benchmark, request.data, request.sequences, failed=failed)
  if any(s.frames for s in found):  # else all are missing, not those of some
    for sequence in found:
      with noted(sequence.name, failed):
        supervised.check_sequence(sequence)
  fine = [s for s in found if s.name not in failed]
  _check_any(fine, failed)
  supervised.check_images(fine)
  return EvaluationPlan(request, supervised.supervised_jobs(
      fine, request.output, protocol), False, failed)


def _write_zip(plan: EvaluationPlan, path: Path) -> Path:
  """The file that the benchmark's server takes: results and their times."""
  with atomic_paths([path]) as partial, file_errors(path), zipfile.ZipFile(
      partial[path], 'w', zipfile.ZIP_DEFLATED) as archive:
    for job in plan.jobs:
      files = [job.path]
      if plan.request.benchmark == 'got10k':
        files.append(job.time_path)
      for file in files:
        archive.write(file, file.relative_to(plan.request.output))
  return path
