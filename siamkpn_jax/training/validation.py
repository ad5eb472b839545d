"""Validation by tracking: what a run is worth, measured as it will be used."""

import contextlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from siamkpn_jax.config.settings import Config, ValidationConfig
from siamkpn_jax.core.atomic_io import UNFINISHED, atomic_folder, file_errors
from siamkpn_jax.core.checksum import checksum
from siamkpn_jax.datasets.synthetic import split_seed, write_otb
from siamkpn_jax.distributed.multihost import (
  check_same,
  gather_text,
  is_main_host,
  log_main,
  run_on_all_hosts,
)
from siamkpn_jax.evaluation.formats.sequences import Video, load_otb
from siamkpn_jax.evaluation.metrics import ope
from siamkpn_jax.evaluation.run.batch_runner import Finished, drive
from siamkpn_jax.evaluation.run.experiments import BoxError, one_pass_task
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.load import decode_config
from siamkpn_jax.tracking.slots import good_slots
from siamkpn_jax.training.metrics import AUC, PRECISION, SCORED

FOLDER = 'validation'  # below the workdir: the rendered videos
_LENGTH = 60  # frames of a rendered video, where all are asked for


# Group of the sequence, success AUC, precision at 20 pixels.
_Row = tuple[str, float, float]
_RENDERED = 'rendered'  # the group of rendered videos beside others


class Validation:
  """Tracks through held-out sequences, in one pass, as `evaluate` does.

  The sequences are divided over the processes, each of which tracks through
  several at once on all its devices.
  """

  def __init__(self, config: Config, model: SiamKPN, workdir: Path):
    """Finds or renders the sequences; every process must call it.

    Args:
      config: a configuration.
      model: the network.
      workdir: of the run; gets the rendered videos.

    Raises:
      UserError: `validation.data` cannot be read or is not the same for all
        processes, or the videos cannot be written.
    """
    self._model = model
    self._decode = decode_config(config)
    groups = _videos(config.validation, workdir)
    for group, videos in groups.items():
      check_same([f'validation: {len(videos)} {group or "sequences"}, '
                  f'{fingerprint(videos):08x}'])
    every = [(group, v) for group, videos in groups.items() for v in videos]
    self._mine = every[jax.process_index()::jax.process_count()]

  def __call__(self, variables: Any,
               stop: Callable[[], bool] = lambda: False) -> dict[str, float]:
    """Scores the network; every process must call it.

    Args:
      variables: {'params', 'batch_stats'}, whole on every device.
      stop: whether to give up, asked at every frame.

    Returns:
      Means over the sequences: `val_success_auc` and `val_precision_20`, by
      the rule of `metrics.ope`; `val_rendered_...` over rendered videos
      that are watched beside them; and how many were scored. {} without
      sequences. One that cannot
      be read is logged, and left out for the rest of the run.
    """
    local = jax.tree.map(lambda x: x.addressable_data(0), variables)
    rows: list[_Row] | None = None
    troubles: list[str] = []
    with contextlib.suppress(_GivenUpError):
      rows, troubles = self._rows(local, stop)
    found = [json.loads(text)
             for text in gather_text(json.dumps([troubles, rows]))]
    for text in (text for texts, _ in found for text in texts):
      log_main(f'\nno longer validated: {text}')
    if any(part is None for _, part in found):
      log_main('\nnot validated: the run is stopping')
      return {}
    return _means([row for _, part in found for row in part])

  def _rows(self, variables: Any,
            stop: Callable[[], bool]) -> tuple[list[_Row], list[str]]:
    """Scores of this process's sequences, and what is wrong with others."""
    if not self._mine:
      return [], []
    slots = good_slots([len(v) for _, v in self._mine],
                       jax.local_device_count())
    tasks = {one_pass_task(video): (group, video)
             for group, video in self._mine}
    ended = {done.task: done for done in drive(
        BatchTracker(self._model, variables, self._decode, slots=slots),
        list(tasks), stop=stop)}
    if len(ended) < len(tasks):
      raise _GivenUpError
    lost = {task: f'{task.name}: {done.error}' for task, done in ended.items()
            if done.error and not isinstance(done.error, BoxError)}
    self._mine = [mine for task, mine in tasks.items() if task not in lost]
    return [(group, *_score(ended[task], video))
            for task, (group, video) in tasks.items() if task not in lost
            ], list(lost.values())


def fingerprint(videos: Sequence[Video]) -> int:
  """A checksum of names and boxes."""
  return checksum((video.name, video.boxes_xywh) for video in videos)


def _means(rows: Sequence[_Row]) -> dict[str, float]:
  """The metrics of every group; `val_x` of group g is called `val_g_x`."""
  means: dict[str, float] = {SCORED: len(rows)} if rows else {}
  for group in dict.fromkeys(group for group, *_ in rows):
    prefix = f'val_{group}_' if group else 'val_'
    scores = [score for g, *score in rows if g == group]
    for name, mean in zip((AUC, PRECISION), np.mean(scores, axis=0).tolist(),
                          strict=True):
      means[name.replace('val_', prefix)] = mean
  return means


class _GivenUpError(Exception):
  """Validation was asked to stop."""


def _score(ended: Finished, video: Video) -> tuple[float, float]:
  """Success AUC and precision at 20 pixels."""
  if ended.error:
    return 0.0, 0.0  # weights that went astray are no reason to end the run
  score = ope.score_sequence(ended.result, video.boxes_xywh)
  return score.success_auc, score.precision_20


def _videos(config: ValidationConfig, workdir: Path) -> dict[str, list[Video]]:
  """Group -> the first frames of its first sequences."""
  def rendered(count: int) -> list[Video]:
    folder = _rendered(workdir, count, config.frames or _LENGTH)
    return run_on_all_hosts(lambda: load_otb(folder))

  groups: dict[str, list[Video]] = {}
  if config.sequences and not config.data:
    groups[''] = rendered(config.sequences)
  elif config.sequences:
    groups[''] = run_on_all_hosts(
        lambda: given_videos(config))[:config.sequences]
  if config.rendered:
    groups[_RENDERED] = rendered(config.rendered)
  return {group: [video.first(config.frames or len(video)) for video in videos]
          for group, videos in groups.items()}


def given_videos(config: ValidationConfig) -> list[Video]:
  """All sequences of `config.data`, read in this process.

  Raises:
    UserError: they cannot be read.
  """
  return load_otb(config.data, zero_based=config.zero_based)


def _rendered(workdir: Path, count: int, length: int) -> Path:
  """The folder of the videos that no training sees, whatever its seed."""
  folder = workdir / FOLDER / f'rendered_{count}x{length}'

  def write():
    if is_main_host() and not folder.exists():
      for left in folder.parent.glob(f'{UNFINISHED}*'):  # by a killed run
        shutil.rmtree(left, ignore_errors=True)
      with file_errors(folder), atomic_folder(folder) as partial:
        write_otb(partial, seed=split_seed('val', 0), count=count,
                  length=length)
  run_on_all_hosts(write)
  return folder
