"""Validation by tracking: what a run is worth, measured as it will be used."""

import contextlib
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from siamkpn_jax.benchmarks import ope
from siamkpn_jax.benchmarks.runner import BoxError, read_frames, run_sequence
from siamkpn_jax.benchmarks.sequences import Sequence as Video
from siamkpn_jax.benchmarks.sequences import load_otb
from siamkpn_jax.config import to_plain
from siamkpn_jax.data.sources.synthetic import split_seed, write_otb
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.outputs import blame
from siamkpn_jax.tracking.tracker import Tracker, decode_config
from siamkpn_jax.training.agreement import gather, is_first, together
from siamkpn_jax.training.metrics import AUC, PRECISION

FOLDER = 'validation'  # below the workdir: the rendered videos
_LENGTH = 60  # frames of a rendered video, where all are asked for


class Validation:
  """Tracks through held-out sequences, in one pass, as `evaluate` does.

  The sequences are divided over the processes, each of which uses one device.
  """

  def __init__(self, config: Any, model: SiamKPN, workdir: Path):
    """Finds or renders the sequences; every process must call it.

    Args:
      config: a configuration.
      model: the network.
      workdir: of the run; gets the rendered videos.

    Raises:
      UserError: `validation.data` cannot be read, or the videos not written.
    """
    self._model = model
    self._decode = decode_config(to_plain(config))
    videos = _videos(config.validation, workdir)
    self._mine = videos[jax.process_index()::jax.process_count()]

  def __call__(self, variables: Any) -> dict[str, float]:
    """Scores the network; every process must call it.

    Args:
      variables: {'params', 'batch_stats'}, whole on every device.

    Returns:
      Means over all sequences: `val_success_auc` and `val_precision_20`, by
      the rule of `benchmarks.ope`; {} without sequences.

    Raises:
      UserError: an image cannot be read.
    """
    local = jax.tree.map(lambda x: x.addressable_data(0), variables)
    tracker = Tracker(self._model, local, self._decode)
    scores = together(lambda: [_score(tracker, v) for v in self._mine])
    rows = [row for text in gather(json.dumps(scores))
            for row in json.loads(text)]
    if not rows:
      return {}
    auc, precision = np.mean(rows, axis=0).tolist()
    return {AUC: auc, PRECISION: precision}


def _score(tracker: Tracker, video: Video) -> tuple[float, float]:
  """Success AUC and precision at 20 pixels."""
  try:
    with contextlib.closing(read_frames(video.frames)) as frames:
      track = run_sequence(tracker, video, frames)
  except BoxError:  # weights that went astray are no reason to end the run
    return 0.0, 0.0
  score = ope.score_sequence(track.boxes_xywh, video.boxes_xywh)
  return score.success_auc, score.precision_20


def _videos(config: Any, workdir: Path) -> Sequence[Video]:
  """The first frames of the first sequences of a `config.validation`."""
  if not config.sequences:
    return []
  if config.data:
    videos = given_videos(config)
  else:
    folder = _rendered(workdir, config.sequences, config.frames or _LENGTH)
    videos = together(lambda: load_otb(folder))
  frames = config.frames or None
  return [dataclasses.replace(v, frames=v.frames[:frames],
                              boxes_xywh=v.boxes_xywh[:frames])
          for v in videos[:config.sequences]]


def given_videos(config: Any) -> list[Video]:
  """All sequences of `config.data`; [] if it names no folder.

  Raises:
    UserError: they cannot be read, on any process.
  """
  if not (config.sequences and config.data):
    return []
  return together(lambda: load_otb(
      config.data, zero_based=tuple(config.zero_based)))


def _rendered(workdir: Path, count: int, length: int) -> Path:
  """The folder of the videos that no training sees, whatever its seed."""
  folder = workdir / FOLDER / f'rendered_{count}x{length}'

  def write():
    if is_first() and not folder.exists():
      with blame(folder), _unfinished(folder) as partial:
        write_otb(partial, seed=split_seed('val', 0), count=count,
                  length=length)
  together(write)
  return folder


@contextlib.contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
  """A folder to fill, which gets its name when it is whole."""
  folder.parent.mkdir(exist_ok=True)
  partial = Path(tempfile.mkdtemp(prefix='.unfinished_', dir=folder.parent))
  try:
    yield partial
    partial.chmod(0o755)
    partial.rename(folder)
  finally:
    shutil.rmtree(partial, ignore_errors=True)
