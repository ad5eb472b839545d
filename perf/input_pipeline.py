"""Training pairs per second on the host: the classic way against this one.

  python -m perf.input_pipeline --crops DIR --images DIR

DIR of --crops is a crop511 folder, of --images any folder that training reads
(docs/datasets.md). One thread; all ways take turns in one run, medians of
pairwise ratios. 'classic' is what trackers in the style of pysot do: decode two
511-pixel crops, augment them and make the labels of three stages, all in
Python. Here the host only reads patches; the rest runs on the device inside the
training step, and is not counted. 'decode' is OpenCV's decoding of the same
files, each once, and nothing else; 'all degraded' reads patches with every step
of datasets/degrade.py. --packed DIR adds the crops of --crops as
python -m siamkpn_jax.pack has packed them.

Where TensorFlow is installed, the two loaders of config.data.loader take turns
as well, each with one reading thread and all its threads on one core.
"""

import argparse
import contextlib
import functools
import importlib.util
import itertools
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perf import turns
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.config.settings import AugmentConfig, DataConfig
from siamkpn_jax.datasets import catalog, sampler
from siamkpn_jax.datasets.degrade import STEPS
from siamkpn_jax.datasets.loader import Loader
from siamkpn_jax.datasets.patches import EncodedFrame
from siamkpn_jax.datasets.source import Source


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument(
      '--crops', required=True, help='A crop511 folder.')
  parser.add_argument(
      '--images', required=True, help='A folder of whole images.')
  parser.add_argument(
      '--packed', help='The crops, packed.')
  parser.add_argument(
      '--pairs', type=whole(1), default=40, help='Pairs in a turn.')
  parser.add_argument(
      '--turns', type=whole(1), default=7, help='Turns of each way.')
  parser.add_argument(
      '--batch', type=whole(1), default=8,
      help="Pairs in a batch of the loaders'.")


_CONFIG = DataConfig(sets=('given',), ratios=(1.0,), ranges=(30,), workers=1,
                     prefetch=1)
_WITHOUT = AugmentConfig()  # nothing on the host
_TEMPLATE_PATCH, _SEARCH_PATCH = 143, 431  # of the paper's augmentation
_COLOR = np.array([[-0.55919361, 0.98062831, -0.41940627],
                    [1.72091413, 0.19879334, -1.82968581],
                    [4.64467907, 4.73710203, 4.88324118]])


def run(args: argparse.Namespace) -> None:
  """Measures and prints."""
  cv2.setNumThreads(1)
  # Before TensorFlow makes its threads: they are to stay on one core too.
  turns.use_threads(1)
  crops = _open(args.crops)
  images = _open(args.images)
  ways = {
      'classic, crop511': functools.partial(_classic, crops),
      'decode, crop511': functools.partial(_decode, crops),
      'ours, crop511': _loader(crops).read_pair,
      'all degraded, crop511': _loader(
          crops, AugmentConfig(**dict.fromkeys(STEPS, 1.0))).read_pair,
      'decode, whole images': functools.partial(_decode, images),
      'ours, whole images': _loader(images).read_pair,
  }
  if args.packed:
    ways['ours, packed crops'] = _loader(_open(args.packed)).read_pair
  seconds = _take_turns({name: _pairs_turn(way, args.pairs)
                         for name, way in ways.items()}, args.turns)
  _print_rates(seconds)
  ratio = lambda a, b: _ratio(seconds, a, b)
  print(f'ours / classic, pairs per second from crops: '
        f'{ratio("classic, crop511", "ours, crop511"):.2f}')
  if args.packed:
    print(f'packed / crop511, pairs per second: '
          f'{ratio("ours, crop511", "ours, packed crops"):.2f}')
  for kind in ('crop511', 'whole images'):
    print(f'ours / bare decoding, time, {kind}: '
          f'{ratio(f"ours, {kind}", f"decode, {kind}"):.2f}')
  if importlib.util.find_spec('tensorflow'):
    _compare_loaders({'crop511': crops, 'whole images': images}, args)


def _compare_loaders(sources: dict[str, Source],
                     args: argparse.Namespace) -> None:
  """Prints how many pairs per second the threads and tf.data read."""
  from siamkpn_jax.datasets.tf_loader import TfLoader
  count = max(1, args.pairs // args.batch)
  seconds = _take_turns({
      f'{name}, {place}': _batches_turn(
          _loader(source, kind=kind, batch_size=args.batch), count, args.batch)
      for place, source in sources.items()
      for name, kind in (('threads', Loader), ('tf.data', TfLoader))},
      args.turns)
  _print_rates(seconds)
  for place in sources:
    ratio = _ratio(seconds, f'threads, {place}', f'tf.data, {place}')
    print(f'tf.data / threads, pairs per second, {place}: {ratio:.2f}')


def _take_turns(ways: dict[str, Callable[[], float]],
                count: int) -> dict[str, list[float]]:
  """Seconds per pair of each way, turn by turn."""
  # The first warms the disk's cache.
  return {name: seconds[1:]
          for name, seconds in turns.take_turns(ways, count + 1).items()}


def _pairs_turn(way: Callable[[int], object],
                pairs: int) -> Callable[[], float]:
  """What reads the next pairs, and returns the seconds of one."""
  numbers = itertools.count()
  return lambda: turns.timed(lambda: way(next(numbers)), pairs)


def _batches_turn(loader: Loader, count: int,
                  size: int) -> Callable[[], float]:
  """The same of batches.

  Without the start: from the first batch on, as many are read as taken.
  """
  first = itertools.count(0, count)

  def turn() -> float:
    with contextlib.closing(loader.batches(next(first))) as batches:
      return turns.timed(lambda: next(batches), count, before=1) / size

  return turn


def _print_rates(seconds: dict[str, list[float]]) -> None:
  for name, values in seconds.items():
    rate = 1 / statistics.median(values)
    print(f'{name:22} {rate:8.1f} pairs/s on one core')


def _ratio(seconds: dict[str, list[float]], a: str, b: str) -> float:
  return statistics.median(
      x / y for x, y in zip(seconds[a], seconds[b], strict=True))


def _open(folder: str) -> Source:
  """The source in a folder."""
  path = Path(folder).absolute()
  config = DataConfig(sets=(path.name,), ratios=(1.0,), ranges=(30,),
                      root=str(path.parent))
  return catalog.open_sources(config, 0)[0]


def _loader(source: Source, augment: AugmentConfig = _WITHOUT,
            kind: type[Loader] = Loader, batch_size: int = 1) -> Loader:
  return kind([source], _CONFIG, augment, seed=0, batch_size=batch_size,
              template_patch=_TEMPLATE_PATCH, search_patch=_SEARCH_PATCH)


def _frames(source: Any, index: int) -> list[EncodedFrame]:
  """The files of both halves of a pair."""
  pair = sampler.sample([source], _CONFIG, 0, index)
  return [source.load(frame.track, frame.position)
          for frame in (pair.template, pair.search)]


def _decode(source: Any, index: int) -> None:
  """Decodes each distinct file of a pair once."""
  for data in {frame.where: frame.data
               for frame in _frames(source, index)}.values():
    cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def _classic(source: Any, index: int) -> list:
  """Two augmented crops and the labels of three stages, in Python."""
  rng = np.random.default_rng(index)
  (template, z_wh), (search, x_wh) = (
      (cv2.imdecode(np.frombuffer(frame.data, np.uint8), cv2.IMREAD_COLOR),
       frame.box_xywh[2:]) for frame in _frames(source, index))
  z, _ = _augment(rng, template, z_wh, 127, 4, 0.05, 0.0)
  x, box = _augment(rng, search, x_wh, 255, 64, 0.18, 0.2)
  return [z.transpose(2, 0, 1).astype(np.float32),
          x.transpose(2, 0, 1).astype(np.float32), *_labels(box)]


def _augment(rng: np.random.Generator, image: np.ndarray, wh: np.ndarray,
             output: int, shift: float, scale: float,
             blur: float) -> tuple[np.ndarray, np.ndarray]:
  """Shift, scale, blur and color of one crop; the box [4] cxcywh in it."""
  side = output * (1 + scale * rng.uniform(-1, 1, 2))
  room = np.maximum((len(image) - side) / 2, 0)
  center = len(image) / 2 + np.clip(shift * rng.uniform(-1, 1, 2), -room, room)
  zoom = output / side
  low = center - side / 2
  crop = cv2.warpAffine(
      image, np.array([[zoom[0], 0, -zoom[0] * low[0]],
                       [0, zoom[1], -zoom[1] * low[1]]]), (output, output),
      borderMode=cv2.BORDER_CONSTANT, borderValue=cv2.mean(image)[:3])
  if rng.random() < blur:
    size = int(rng.integers(2, 23)) * 2 + 1
    kernel = np.zeros((size, size))
    share = rng.random()
    kernel[size // 2] += share
    kernel[:, size // 2] += 1 - share
    crop = cv2.filter2D(crop, -1, kernel / kernel.sum())
  crop = crop - (_COLOR @ rng.standard_normal(3))[::-1]
  return crop, np.array([*((len(image) / 2 - low) * zoom), *(wh * zoom)])


def _labels(box: np.ndarray) -> list[np.ndarray]:
  """Three heatmaps, offsets and sizes, cell by cell."""
  center = 15 + (box[:2] - 127) / 8
  heatmaps = np.zeros((3, 31, 31), np.float32)
  offsets, size = np.zeros((2, 31, 31), 'f4'), np.zeros((2, 31, 31), 'f4')
  for stage in range(3):
    variance = (0.9**stage * 31 / 16)**2
    for i in range(31):
      for j in range(31):
        d2 = (j - center[0])**2 + (i - center[1])**2
        if d2 < (31 / 8)**2:
          heatmaps[stage, i, j] = np.exp(-d2 / (2 * variance))
          offsets[:, i, j] = (center - (j, i)) / 8
          size[:, i, j] = box[2:]
  return [heatmaps, offsets, size]


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.input_pipeline'))
