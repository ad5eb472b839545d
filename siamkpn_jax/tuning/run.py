"""What `python -m siamkpn_jax.tune` does."""

import dataclasses
import json
import math
import shutil
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from siamkpn_jax.checkpoints import weights
from siamkpn_jax.checkpoints.weights_file import (
  is_weights_file,
  read_metadata,
  stored_config,
)
from siamkpn_jax.core.atomic_io import atomic_folder
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.progress import progress_bar
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.tuning import plots, report, search, trial_log
from siamkpn_jax.tuning.data import Data, load
from siamkpn_jax.tuning.evaluator import Evaluator
from siamkpn_jax.tuning.trial_log import Candidate
from siamkpn_jax.tuning.trial_runner import TrialParams, TrialRunner, rounded

TUNED = 'tuned'  # folder of the checkpoint with the best hyperparameters


@dataclasses.dataclass(frozen=True)
class TuningRequest:
  """What is to be searched.

  Attributes:
    benchmark: a key of `scoring.SCORERS`.
    data: its folder.
    weights: checkpoints, or workdirs of runs.
    output: folder for the results; one with a trial log goes on.
    protocol: the rule; None: the benchmark's own.
    sequences: names or patterns; empty for all.
    zero_based: see `data.load`.
    last: newest checkpoints of each workdir.
    prune_z: standard errors; see racing_pruner.py; 0: none is pruned.
    plan: the strategy.
  """
  benchmark: str
  data: Path
  weights: tuple[Path, ...]
  output: Path
  protocol: str | None = None
  sequences: tuple[str, ...] = ()
  zero_based: tuple[str, ...] = ()
  last: int = 1
  prune_z: float = 3.0
  plan: search.SearchPlan = dataclasses.field(default_factory=search.SearchPlan)


def run(request: TuningRequest,
        make_runner: Callable[[Path, Data], TrialRunner], *,
        progress: bool = True) -> dict[str, Any]:
  """Searches, and writes result.json, a picture and the tuned checkpoint.

  Args:
    request: what to search.
    make_runner: of a checkpoint and the sequences, what tracks.
    progress: show a bar on stderr.

  Returns:
    The result as in result.json.

  Raises:
    UserError: wrong data, checkpoints or flags, Optuna is not installed, or
      something of another search or program is in the output folder.
  """
  if not math.isfinite(request.prune_z):
    raise UserError(f'--prune_z {request.prune_z}: expected a number, 0 or '
                    'more')
  strategy = search.describe(request.plan)
  log, tuned = request.output / trial_log.TRIAL_LOG, request.output / TUNED
  if tuned.exists() and not log.exists():  # a training, perhaps
    raise UserError(f'{tuned}: already exists and would be replaced: choose '
                    'another --output, or remove it')
  data = load(request.benchmark, request.data, request.protocol,
              names=request.sequences, zero_based=request.zero_based)
  if data.warning:
    print(data.warning, file=sys.stderr, flush=True)
  checkpoints = list(dict.fromkeys(
      found for path in request.weights
      for found in weights.find_checkpoints(path, request.last)))
  baselines = [_own(checkpoint) for checkpoint in checkpoints]
  description = {
      'benchmark': request.benchmark, 'protocol': data.objective.protocol,
      'sequences': data.objective.names, 'annotations': data.fingerprint,
      'checkpoints': [_fingerprint(c) for c in checkpoints],
      'strategy': strategy, 'prune_z': request.prune_z}
  study = trial_log.open_study(log, description, trial_log.pruner(
      request.prune_z, len(data.objective.names)))
  with progress_bar(unit=' frames', unit_scale=True,
                    disable=not progress) as bar:
    evaluator = Evaluator(
        study, checkpoints, lambda checkpoint: make_runner(checkpoint, data),
        data.objective, seed=request.plan.seed, protected=len(baselines),
        progress=bar)
    search.search(study, evaluator, baselines, request.plan, bar)
  trials = study.get_trials(deepcopy=False)
  result = {
      'benchmark': request.benchmark, 'data': str(request.data),
      **report.summarize(trials, data.objective, checkpoints),
      'strategy': strategy, 'prune_z': request.prune_z,
      'seconds': round(evaluator.seconds(), 1), 'warning': data.warning}
  best = Candidate.of(search.ranking(trials)[0])
  scores = {c.hyperparameters: t.value for t in trials if t.value is not None
            and (c := Candidate.of(t)).checkpoint == best.checkpoint}
  plots.save_plot(
      request.output / 'hyperparameters.png', scores, best.hyperparameters,
      baselines[best.checkpoint], 0.8 * request.plan.step,
      f'{data.objective.metric} (of pruned trials: estimated)')
  save_tuned(tuned, checkpoints[best.checkpoint], best.hyperparameters)
  results.write_summary(request.output / 'result.json', result)  # last
  return result


def save_tuned(folder: Path, checkpoint: Path, hyperparameters: TrialParams
               ) -> None:
  """Writes a copy of a checkpoint with other hyperparameters.

  Args:
    folder: for the copy, without what training would need to go on; replaced
      if it is there.
    checkpoint: see `load_model`.
    hyperparameters: of the tracker.
  """
  config, variables = weights.load_model(checkpoint)
  config = config.updated(tracking=dataclasses.asdict(hyperparameters))
  with atomic_folder(folder) as partial:
    weights.save_model(partial, config, variables)
    shutil.rmtree(folder, ignore_errors=True)  # once its successor is whole


def _own(checkpoint: Path) -> TrialParams:
  config = stored_config(checkpoint, weights.read_config(checkpoint))
  return rounded([getattr(config.tracking, name) for name in trial_log.NAMES])


def _fingerprint(checkpoint: Path) -> str:
  """Names it, and a checksum of what its configuration and weights are.

  Of a folder's weights these are the sizes of its files.
  """
  files = sorted(p for p in checkpoint.rglob('*') if p.is_file())
  text = '\n'.join(f'{p.relative_to(checkpoint)} {p.stat().st_size}'
                   for p in files)
  if is_weights_file(checkpoint):
    text = read_metadata(checkpoint)['checksum']
  text += json.dumps(weights.read_config(checkpoint), sort_keys=True)
  return f'{checkpoint.name} {zlib.crc32(text.encode()):08x}'
