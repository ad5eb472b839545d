"""What `python -m siamkpn_jax.tune` does."""

import contextlib
import dataclasses
import json
import math
import shutil
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from siamkpn_jax.checkpoints import weights
from siamkpn_jax.checkpoints.weights_file import is_weights_file, read_metadata
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.tuning import plots, report, search
from siamkpn_jax.tuning.data import Data, load
from siamkpn_jax.tuning.engine import Engine, Setting, rounded
from siamkpn_jax.tuning.evaluator import Candidate, Laboratory
from siamkpn_jax.tuning.progress import Progress
from siamkpn_jax.tuning.racing import Race
from siamkpn_jax.tuning.trial_log import Journal

_JOURNAL = 'journal.jsonl'
TUNED = 'tuned'  # folder of the checkpoint with the best setting


@dataclasses.dataclass(frozen=True)
class Request:
  """What is to be searched.

  Attributes:
    benchmark: a key of `scoring.SCORERS`.
    data: its folder.
    weights: checkpoints, or workdirs of runs.
    output: folder for the results; one with a journal goes on.
    protocol: the rule; None: the benchmark's own.
    sequences: names or patterns; empty for all.
    zero_based: see `data.load`.
    last: newest checkpoints of each workdir.
    prune_z: see pruning.py.
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
  plan: search.Plan = dataclasses.field(default_factory=search.Plan)


def run(request: Request, make_engine: Callable[[Path, Data], Engine], *,
        progress: bool = True) -> dict[str, Any]:
  """Searches, and writes result.json, settings.png and the tuned checkpoint.

  Args:
    request: what to search.
    make_engine: of a checkpoint and the sequences, what tracks.
    progress: show a bar on stderr.

  Returns:
    The result as in result.json.

  Raises:
    UserError: wrong data, checkpoints or settings, or something of another
      search or program in the output folder.
  """
  if not math.isfinite(request.prune_z):
    raise UserError(f'--prune_z {request.prune_z}: expected a number, 0 or '
                    'more; change it')
  strategy = search.describe(request.plan)
  journal_file, tuned = request.output / _JOURNAL, request.output / TUNED
  if tuned.exists() and not journal_file.exists():  # a training, perhaps
    raise UserError(f'{tuned} is there and would be replaced; expected no '
                    'such folder; give another --output')
  data = load(request.benchmark, request.data, request.protocol,
              names=request.sequences, zero_based=request.zero_based)
  if data.warning:
    print(data.warning, file=sys.stderr, flush=True)
  checkpoints = list(dict.fromkeys(
      found for path in request.weights
      for found in weights.find_checkpoints(path, request.last)))
  baselines = [_own_setting(checkpoint) for checkpoint in checkpoints]
  header = {
      'benchmark': request.benchmark, 'protocol': data.objective.protocol,
      'sequences': data.objective.names, 'annotations': data.fingerprint,
      'checkpoints': [_fingerprint(c) for c in checkpoints],
      'strategy': strategy, 'prune_z': request.prune_z}
  with (Journal(journal_file, header) as journal,
        contextlib.closing(Progress(show=progress)) as bar):
    laboratory = Laboratory(
        checkpoints, lambda checkpoint: make_engine(checkpoint, data),
        data.objective, journal, bar, batch=request.plan.batch)
    race = Race(
        data.objective, laboratory, bar, seed=request.plan.seed,
        z=request.prune_z,
        protected=[Candidate(i, s) for i, s in enumerate(baselines)])
    search.search(race, baselines, request.plan)
    seconds = journal.seconds
  result = {
      'benchmark': request.benchmark, 'data': str(request.data),
      **report.summarize(race, data.objective, checkpoints, baselines),
      'strategy': strategy, 'prune_z': request.prune_z,
      'seconds': round(seconds, 1), 'warning': data.warning}
  _save_plot(request.output / 'settings.png', race, data, baselines,
             reach=0.8 * request.plan.step)
  best = race.best()
  save_tuned(tuned, checkpoints[best.checkpoint], best.setting)
  results.write_summary(request.output / 'result.json', result)  # last
  return result


def save_tuned(folder: Path, checkpoint: Path, setting: Setting) -> None:
  """Writes a copy of a checkpoint whose configuration has a setting.

  Args:
    folder: for the copy, without what training would need to go on; replaced
      if it is there.
    checkpoint: see `load_model`.
    setting: of the tracker.
  """
  config, variables = weights.load_model(checkpoint)
  config = config.updated(tracking=dataclasses.asdict(setting))
  shutil.rmtree(folder, ignore_errors=True)
  weights.save_model(folder, config, variables)


def _own_setting(checkpoint: Path) -> Setting:
  tracking = weights.read_config(checkpoint)['tracking']
  return rounded([tracking[field.name]
                  for field in dataclasses.fields(Setting)])


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


def _save_plot(path: Path, race: Race, data: Data,
               baselines: Sequence[Setting], *, reach: float) -> None:
  best = race.best()
  plots.save_plot(
      path, {c.setting: race.estimate(c) for c in race.values
             if c.checkpoint == best.checkpoint},
      best.setting, baselines[best.checkpoint], reach,
      f'{data.objective.value} (of dropped settings: estimated)')
