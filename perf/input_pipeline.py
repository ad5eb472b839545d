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
import importlib.util
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perf.turns import use_threads
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
      '--pairs', type=whole(), default=40, help='Pairs in a turn.')
  parser.add_argument(
      '--turns', type=whole(), default=7, help='Turns of each way.')
  parser.add_argument(
      '--batch', type=whole(), default=8,
      help="Pairs in a batch of the loaders'.")


_CONFIG = DataConfig(sets=('given',), ratios=(1.0,), ranges=(30,), workers=1,
                     prefetch=1)
_WITHOUT = AugmentConfig()  # nothing on the host
_TEMPLATE_PATCH, _SEARCH_PATCH = 143, 431  # of the paper's augmentation
_COLOR = np.array([[-0.55919361, 0.98062831, -0.41940627],
                    [1.72091413, 0.19879334, -1.82968581],
                    [4.64467907, 4.73710203, 4.88324118]])


def main(argv: list[str], args: argparse.Namespace) -> None:
  """Measures and prints."""
  cv2.setNumThreads(1)
  # Before TensorFlow makes its threads: they are to stay on one core too.
  use_threads(1)
  crops = _open(args.crops)
  images = _open(args.images)
  ways = {
      'classic, crop511': lambda k: _classic(crops, k),
      'decode, crop511': lambda k: _decode(crops, k),
      'ours, crop511': lambda k: _loader(crops).read_pair(k),
      'all degraded, crop511': lambda k: _loader(
          crops, AugmentConfig(**dict.fromkeys(STEPS, 1.0))).read_pair(k),
      'decode, whole images': lambda k: _decode(images, k),
      'ours, whole images': lambda k: _loader(images).read_pair(k),
  }
  if args.packed:
    packed = _open(args.packed)
    ways['ours, packed crops'] = lambda k: _loader(packed).read_pair(k)
  seconds = _take_turns({
      name: lambda turn, way=way: _time_pairs(way, turn, args)
      for name, way in ways.items()}, args)
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
  seconds = _take_turns({
      f'{name}, {place}': lambda turn, kind=kind, source=source: _time_batches(
          _loader(source, kind=kind, batch_size=args.batch), turn, args)
      for place, source in sources.items()
      for name, kind in (('threads', Loader), ('tf.data', TfLoader))}, args)
  _print_rates(seconds)
  for place in sources:
    ratio = _ratio(seconds, f'threads, {place}', f'tf.data, {place}')
    print(f'tf.data / threads, pairs per second, {place}: {ratio:.2f}')


def _take_turns(ways: dict[str, Callable[[int], float]],
                args: argparse.Namespace) -> dict[str, list[float]]:
  """Seconds per pair of each way, turn by turn."""
  seconds: dict[str, list[float]] = {name: [] for name in ways}
  for turn in range(args.turns + 1):  # the first warms the disk's cache
    for name, way in ways.items():
      value = way(turn)
      if turn:
        seconds[name].append(value)
  return seconds


def _time_pairs(way: Callable[[int], object], turn: int,
                args: argparse.Namespace) -> float:
  before = time.perf_counter()
  for k in range(args.pairs):
    way(turn * args.pairs + k)
  return (time.perf_counter() - before) / args.pairs


def _time_batches(loader: Loader, turn: int, args: argparse.Namespace) -> float:
  """Without the start: from the first batch on, as many are read as taken."""
  count = max(1, args.pairs // args.batch)
  batches = loader.batches(turn * count)
  next(batches)
  before = time.perf_counter()
  for _ in itertools.islice(batches, count):
    pass
  seconds = time.perf_counter() - before
  batches.close()
  return seconds / (count * args.batch)


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
