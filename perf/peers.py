"""Our tracker beside those that a user without a GPU would pick.

  python -m perf.peers --data DIR --output runs/peers

All start from the same boxes, rounded to whole pixels as OpenCV's trackers need
them. First each tracks every sequence once, for the scores (protocol otb). Then
they take turns: each tracks --frames frames of a sequence, then the next one
does; the frames are decoded beforehand, and the first one, of `init`, is not
counted. Speeds are medians over the rounds, ratios those of the same round.

--models is the folder of the files of cv2.TrackerNano and TrackerVit
(opencv_trackers.py has their names). --onnx adds our network in ONNX Runtime,
crops and boxes without JAX, --int8 that with its search in int8. --config FILE
in place of --weights measures the speed alone, of a network with random
weights. On a machine that does other work too, --threads 1 disturbs the
comparison least, and CPU ms say more than frames/s.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perf import circumstances, contest, networks, turns
from perf.opencv_trackers import FILES, find_trackers
from perf.sequences import add_sequence_flags
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, Switch, names, whole
from siamkpn_jax.core.atomic_io import check_output, write_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats.sequences import (
  Video,
  load_otb,
  meant,
  select,
)
from siamkpn_jax.evaluation.report.drawing import draw_frames, save_strips
from siamkpn_jax.evaluation.report.failure_strips import whole_sequence
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking import tracker as ours
from siamkpn_jax.tracking.load import decode_config
from siamkpn_jax.tracking.one_target import SingleTracker


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  add_sequence_flags(parser)
  parser.add_argument(
      '--output', required=True,
      help='Folder for peers.json, peers.md, peers.jpg.')
  networks.add_flags(parser)
  parser.add_argument(
      '--models', help="Folder of the peers' files.")
  parser.add_argument(
      '--peer', action='append', choices=list(FILES),
      help='These alone; may be repeated.')
  parser.add_argument(
      '--sequences', type=names, default=(), help='These alone, or patterns.')
  parser.add_argument(
      '--onnx', action=Switch, default=False,
      help='Our network in ONNX Runtime as well.')
  parser.add_argument(
      '--int8', action=Switch, default=False,
      help='And that in int8; with --onnx.')
  turns.add_flags(parser, rounds=24)
  parser.add_argument(
      '--frames', type=whole(1), default=30, help='In a turn.')
  parser.add_argument(
      '--film', type=names, default=(),
      help='Sequences for peers.jpg, six frames of each with our box.')


OURS, IN_ONNX, PEER = 'ours', 'ours in ONNX Runtime', 'TrackerNano'
IN_INT8 = 'ours in ONNX Runtime, int8'


def run(args: argparse.Namespace) -> None:
  """Measures, prints and writes."""
  threads = turns.use_threads(args.threads)
  cv2.setNumThreads(threads)
  if args.config and args.film:
    raise UserError('--config FILE measures the speed of random weights; '
                    'leave --film out, or --config')
  if args.int8 and not args.onnx:
    raise UserError('--int8: is of ONNX Runtime; give --onnx as well')
  folder = Path(args.output)
  for name in ('peers.json', 'peers.md', 'peers.jpg'):
    check_output(folder / name, '--output')
  sequences = load_otb(args.data, names=args.sequences,
                       zero_based=args.zero_based)
  meant(args.film, [s.name for s in sequences], '--film')
  found = find_trackers(Path(args.models) if args.models else None,
                        args.peer or list(FILES))
  trackers: dict[str, SingleTracker] = {
      **found.trackers, **_our_trackers(threads, args)}
  busy = [circumstances.load()]
  scores = None
  if not args.config:
    scores = contest.run_all(trackers, sequences)
  speeds = contest.take_rounds(trackers, sequences, args.rounds,
                               args.frames)
  result = contest.summarize(scores, speeds, found.missing, PEER)
  if scores and args.onnx:
    result['largest_difference_of_boxes'] = scores.differences(OURS, IN_ONNX)
  result |= circumstances.describe(threads, [*busy, circumstances.load()])
  result |= {'rounds': args.rounds, 'frames_per_turn': args.frames,
             'command': shlex.join(['python', '-m', 'perf.peers', *args.argv])}
  text = contest.report(result, PEER)
  print(f'\n{text}')
  _write(folder, result, text)
  if scores and args.film:
    _draw(folder / 'peers.jpg', sequences, scores.boxes_xywh[OURS], args)


def _our_trackers(threads: int, args: argparse.Namespace
                  ) -> dict[str, SingleTracker]:
  config, variables = networks.load(args)
  model = build_model(config.model)
  settings = decode_config(config)
  trackers: dict[str, SingleTracker] = {OURS: ours.Tracker(
      model, variables, settings)}
  if args.onnx:
    try:
      from siamkpn_jax.tracking.onnx.kept import in_precision
      from siamkpn_jax.tracking.onnx.tracker import OnnxTracker
    except ModuleNotFoundError as error:
      raise UserError(f'--onnx: the package {error.name} is missing; install '
                      'onnx and onnxruntime, or leave --onnx out') from error
    for name, precision in [(IN_ONNX, 'float32'), *(
        [(IN_INT8, 'int8')] if args.int8 else [])]:
      network = in_precision(config, model, variables, precision)
      trackers[name] = OnnxTracker(network, settings, threads=threads)
  return trackers


def _draw(path: Path, sequences: Sequence[Video],
          boxes_xywh: Mapping[str, np.ndarray],
          args: argparse.Namespace) -> None:
  """The annotated box and ours in each sequence of --film."""
  strips = [whole_sequence(s.name, s.frames, s.boxes_xywh,
                           boxes_xywh[s.name], 6)
            for s in select(sequences, args.film)]
  save_strips(path, [draw_frames(strip) for strip in strips])


def _write(folder: Path, result: dict[str, Any], text: str) -> None:
  write_file(folder / 'peers.json', json.dumps(result, indent=2) + '\n')
  write_file(folder / 'peers.md', text + '\n')
  print(f'\nresults: {folder}/')


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.peers'))
