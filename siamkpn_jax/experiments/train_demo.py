"""What `python -m siamkpn_jax.train_demo` does: train, evaluate, draw."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.boxes import iou_xywh
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.synthetic import Scene, split_seed, write_otb
from siamkpn_jax.evaluation.formats.sequences import Video, load_otb
from siamkpn_jax.evaluation.report.curves import save_plot
from siamkpn_jax.evaluation.run.load import load_for_sequences
from siamkpn_jax.evaluation.run.one_pass import run_one_pass
from siamkpn_jax.evaluation.run.protocol import FirstBoxTracker
from siamkpn_jax.experiments.heatmaps import FigureRow, save_heatmap_figure
from siamkpn_jax.models.siamkpn import build_model, init_variables
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.given_boxes import GivenBox
from siamkpn_jax.tracking.load import (
  LoadedTracker,
  decode_config,
  load_tracker,
)
from siamkpn_jax.tracking.one_target import OneTarget
from siamkpn_jax.tracking.slots import good_slots
from siamkpn_jax.tracking.track_files import Outputs, track_to_files
from siamkpn_jax.tracking.video import open_frames
from siamkpn_jax.training import trainer
from siamkpn_jax.training.metrics import REPORT_NAME

_LENGTH = 60  # frames of an unseen video
_DISTRACTORS = 4  # in the video of the figure
_FIGURE_ROWS = 4
_APART = 5  # frames between two rows of the figure
_SUCCESS, _HEATMAPS, _VIDEO = 'success.png', 'heatmaps.png', 'tracking.mp4'
_MARGIN = 12  # crop pixels that are clearly inside are from the edge

Rows = list[tuple[str, float, float, float]]
Files = list[tuple[Path, str]]


def run(config: Config, output: Path, num_sequences: int) -> tuple[Rows, Files]:
  """Trains, evaluates against two baselines, and draws.

  Args:
    config: as configs/demo.py.
    output: folder for everything.
    num_sequences: unseen videos to evaluate on.

  Returns:
    (name, success AUC, precision at 20 pixels, frames per second) per tracker,
    and (path, description) per file.
  """
  training = output / 'training'
  _say('1/4 training')
  sources = catalog.open_sources(config.data, config.seed)
  trainer.train(config, training, sources)

  _say(f'2/4 rendering {num_sequences} unseen videos')
  seed = split_seed('test', 0)
  names = write_otb(output / 'sequences', seed=seed, count=num_sequences,
                    length=_LENGTH)
  sequences = load_otb(output / 'sequences', names=names)

  _say('3/4 evaluating')
  rows = _evaluate(config, training, sequences, output)
  _say('4/4 drawing')
  _draw(training, Scene(seed, num_sequences, length=_LENGTH,
                        distractors=_DISTRACTORS), sequences[0], output)
  files = [
      (output / _SUCCESS, 'success plot'),
      (training / REPORT_NAME, 'the training: its curves and settings'),
      (output / _HEATMAPS, 'response of each stage to distractors'),
      (output / _VIDEO, f'{sequences[0].name} with the predicted box'),
      (training, 'checkpoints, metrics.jsonl, tensorboard/')]
  return rows, [(path, what) for path, what in files if path.exists()]


def _evaluate(config: Config, training: Path, sequences: list[Video],
              output: Path) -> Rows:
  """The trained tracker beside two that know nothing."""
  lengths = [len(s) for s in sequences]
  trackers: dict[str, Any] = {
      'trained': load_for_sequences(training, lengths)[0],
      'untrained': untrained_tracker(config, lengths),
      'first box, never moved': OneTarget(FirstBoxTracker())}
  rows: Rows = []
  success = {}
  for name, one in trackers.items():
    folder = name.split(',')[0].replace(' ', '_')
    summary = run_one_pass(one, sequences, output / 'results' / folder)
    rows.append((name, summary['success_auc'], summary['precision_20'],
                 summary['frames_per_second']))
    success[name] = summary['success_curve']
  save_plot(output / _SUCCESS, 'success', success,
            'Success on unseen rendered videos')
  return rows


def _draw(training: Path, scene: Scene, video: Video, output: Path) -> None:
  """The heatmaps of a scene with distractors, and a video with its box."""
  tracker = load_tracker(training, every_stage=True)
  rows = distractor_rows(tracker, scene, _FIGURE_ROWS)
  if rows:
    save_heatmap_figure(output / _HEATMAPS, rows)
  else:
    _say('no heatmap figure: the target was lost too early')
    (output / _HEATMAPS).unlink(missing_ok=True)  # of another run
  with open_frames(video.frames[0].parent) as source:
    box = GivenBox(None, 1, tuple(video.boxes_xywh[0].tolist()))
    track_to_files(OneTarget(tracker), source, [box], Outputs(output / _VIDEO))


def untrained_tracker(config: Config, lengths: Sequence[int]) -> BatchTracker:
  """The tracker of a configuration before its training.

  Args:
    config: a configuration.
    lengths: of the sequences that it will be given, in frames.
  """
  model = build_model(config.model)
  variables = init_variables(model, config.seed)
  return BatchTracker(
      model, variables, decode_config(config),
      slots=good_slots(lengths, jax.local_device_count()))


def distractor_rows(tracker: LoadedTracker, scene: Scene,
                    count: int) -> list[FigureRow]:
  """Tracks through a scene; the frames in which distractors are nearest.

  Args:
    tracker: to look through.
    scene: with distractors.
    count: of frames, at most; only such in which a distractor, overlapping
      the target little, is in the search crop.
  """
  found: list[tuple[float, int, FigureRow]] = []
  for t in range(scene.length):
    frame, box = scene.render(t)
    if t == 0:
      tracker.init(frame, box)
      continue
    window = tracker.search_window()
    tracker.update(frame)
    side = len(tracker.search_crop)
    others = scene.distractor_boxes(t)
    apart = others[iou_xywh(others, box) < 0.05]
    centers = _in_crop(apart, *window, side)
    inside = _inside(centers, side)
    target = _in_crop(box, *window, side)
    if inside.any() and _inside(target, side):
      distance = np.linalg.norm(centers[inside] - target, axis=-1).min()
      found.append((float(distance), t, FigureRow(
          f'frame {t + 1}', tracker.search_crop, tracker.heatmaps, target,
          centers[inside])))
  chosen: dict[int, FigureRow] = {}
  for _, t, row in sorted(found, key=lambda item: item[0]):
    if len(chosen) < count and all(abs(t - u) >= _APART for u in chosen):
      chosen[t] = row
  return [chosen[t] for t in sorted(chosen)]


def _inside(points: np.ndarray, side: int) -> np.ndarray:
  """[..., 2] crop pixels -> [...] whether clearly inside a search crop."""
  middle = side // 2
  return np.all(np.abs(points - middle) < middle - _MARGIN, axis=-1)


def _in_crop(xywh: np.ndarray, center: np.ndarray, scale: float,
             side: int) -> np.ndarray:
  """[..., 4] frame boxes -> [..., 2] centers in a search crop, pixels."""
  pixel = xywh[..., :2] + xywh[..., 2:] / 2 - 0.5
  return (pixel - center) * scale + side // 2


def _say(what: str) -> None:
  print(what, file=sys.stderr, flush=True)
