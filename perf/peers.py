"""Our tracker beside those that a user without a GPU would pick.

  python -m perf.peers --data DIR --output runs/peers

All start from the same boxes, rounded to whole pixels as OpenCV's trackers need
them. First each tracks every sequence once, for the scores (protocol otb). Then
they take turns: each tracks --frames frames of a sequence, then the next one
does; the frames are decoded beforehand, and the first one, of `init`, is not
counted. Speeds are medians over the rounds, ratios those of the same round.

--models is the folder of the files of cv2.TrackerNano and TrackerVit
(opencv_trackers.py has their names). --onnx adds our network in ONNX Runtime,
crops and boxes by numpy. --config FILE in place of --weights measures the speed
alone, of a network with random weights. On a machine that does other work too,
--threads 1 disturbs the comparison least, and CPU ms say more than frames/s.
"""

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import jax
import numpy as np
from absl import flags
from ml_collections import config_flags

from perf import contest, turns
from perf.opencv_trackers import FILES, find_trackers
from siamkpn_jax import cli
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.config.settings import check_config, to_plain
from siamkpn_jax.core import provenance
from siamkpn_jax.core.atomic_io import atomic_paths, check_output, file_errors
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats.sequences import Sequence as Video
from siamkpn_jax.evaluation.formats.sequences import (
  check_known,
  load_otb,
  select,
)
from siamkpn_jax.evaluation.report.drawing import draw_frames, save_strips
from siamkpn_jax.evaluation.report.failure_strips import whole_sequence
from siamkpn_jax.evaluation.run.protocol import Tracker
from siamkpn_jax.models.siamkpn import build_model, init_variables
from siamkpn_jax.tracking import tracker as ours

_DATA = flags.DEFINE_string(
    'data', None, 'Folder of sequences in OTB layout.', required=True)
_OUTPUT = flags.DEFINE_string(
    'output', None, 'Folder for peers.json, peers.md, peers.jpg.',
    required=True)
_WEIGHTS = flags.DEFINE_string(
    'weights', None, 'Of our tracker; default: those in the package.')
_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Configuration, for random weights: speed alone.',
    lock_config=True)
_MODELS = flags.DEFINE_string('models', None, "Folder of the peers' files.")
_PEERS = flags.DEFINE_multi_enum(
    'peer', list(FILES), list(FILES), 'These alone; may be repeated.')
_SEQUENCES = flags.DEFINE_list('sequences', [], 'These alone, or patterns.')
_ZERO_BASED = flags.DEFINE_list(
    'zero_based', [], 'Sequences that count pixels from 0, or patterns.')
_ONNX = flags.DEFINE_bool('onnx', False, 'Our network in ONNX Runtime as well.')
_ROUNDS = flags.DEFINE_integer('rounds', 24, 'Turns of each.', lower_bound=1)
_FRAMES = flags.DEFINE_integer('frames', 30, 'In a turn.', lower_bound=1)
_FILM = flags.DEFINE_list(
    'film', [], 'Sequences for peers.jpg, six frames of each with our box.')
_THREADS = flags.DEFINE_integer('threads', 0, 'How many; 0: one per core.')

OURS, IN_ONNX, PEER = 'ours', 'ours in ONNX Runtime', 'TrackerNano'


def main(unused_argv: Sequence[str]) -> None:
  """Measures, prints and writes."""
  threads = turns.use_threads(_THREADS.value)
  cv2.setNumThreads(threads)
  if _CONFIG.value and (_WEIGHTS.value or _FILM.value):
    raise UserError('--config FILE measures the speed of random weights; '
                    'leave --weights and --film out, or --config')
  folder = Path(_OUTPUT.value)
  for name in ('peers.json', 'peers.md', 'peers.jpg'):
    check_output(folder / name, '--output')
  sequences = load_otb(_DATA.value, names=_SEQUENCES.value,
                       zero_based=_ZERO_BASED.value)
  check_known(_FILM.value, [s.name for s in sequences], '--film')
  found = find_trackers(Path(_MODELS.value) if _MODELS.value else None,
                        _PEERS.value)
  trackers: dict[str, Tracker] = {**found.trackers, **_our_trackers(threads)}
  busy = [_load()]
  scores = None
  if not _CONFIG.value:
    scores = contest.run_all(trackers, sequences, _say)
  speeds = contest.take_rounds(trackers, sequences, _ROUNDS.value,
                               _FRAMES.value, _say)
  result = contest.summarize(scores, speeds, found.missing, PEER)
  if scores and _ONNX.value:
    result['largest_difference_of_boxes'] = scores.differences(OURS, IN_ONNX)
  result |= _circumstances(threads, [*busy, _load()])
  text = contest.report(result, PEER)
  print(f'\n{text}')
  _write(folder, result, text)
  if scores and _FILM.value:
    _draw(folder / 'peers.jpg', sequences, scores.boxes_xywh[OURS])


def _our_trackers(threads: int) -> dict[str, Tracker]:
  if not _CONFIG.value:
    config, variables = load_model(find_weights(_WEIGHTS.value))
    model = build_model(config['model'])
  else:
    check_config(_CONFIG.value)
    config = to_plain(_CONFIG.value)
    model = build_model(config['model'])
    variables = jax.jit(lambda key: init_variables(model, key))(
        jax.random.key(0))
  settings = ours.decode_config(config)
  trackers: dict[str, Tracker] = {OURS: ours.Tracker(
      model, variables, settings)}
  if _ONNX.value:
    try:
      from perf.onnx_tracker import OnnxTracker
    except ModuleNotFoundError as error:
      raise UserError(f'--onnx: the package {error.name} is missing; install '
                      'onnx and onnxruntime, or leave --onnx out') from error
    trackers[IN_ONNX] = OnnxTracker(model, variables, settings, threads)
  return trackers


def _circumstances(threads: int, loads: list[float | None]) -> dict[str, Any]:
  packages = ('jax', 'flax', 'numpy', 'onnxruntime')
  versions = {'python': platform.python_version(), 'opencv': cv2.__version__}
  for name in packages:
    try:
      versions[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
      continue
  return {
      'hardware': provenance.hardware(), 'threads': threads,
      'load_before_and_after': loads, 'versions': versions,
      'git_revision': provenance.git_revision(), 'rounds': _ROUNDS.value,
      'frames_per_turn': _FRAMES.value,
      'command': shlex.join(['python', '-m', 'perf.peers', *sys.argv[1:]])}


def _load() -> float | None:
  """How many processes wanted the cores, mean of the last minute."""
  return os.getloadavg()[0] if hasattr(os, 'getloadavg') else None


def _say(text: str) -> None:
  """A line of progress, which the next one replaces on a terminal."""
  end = '\r' if sys.stderr.isatty() else '\n'
  print(f'{text:79}', end=end, file=sys.stderr, flush=True)


def _draw(path: Path, sequences: Sequence[Video],
          boxes_xywh: Mapping[str, np.ndarray]) -> None:
  """The annotated box and ours in each sequence of --film."""
  strips = [whole_sequence(s.name, s.frames, s.boxes_xywh,
                           boxes_xywh[s.name], 6)
            for s in select(sequences, _FILM.value)]
  save_strips(path, [draw_frames(strip) for strip in strips])


def _write(folder: Path, result: dict[str, Any], text: str) -> None:
  paths = folder / 'peers.json', folder / 'peers.md'
  content = json.dumps(result, indent=2) + '\n', text + '\n'
  with atomic_paths(paths) as partial:
    for path, what in zip(paths, content, strict=True):
      with file_errors(path):
        partial[path].write_text(what, encoding='utf-8')
  print(f'\nresults: {folder}/')


if __name__ == '__main__':
  cli.run(main)
