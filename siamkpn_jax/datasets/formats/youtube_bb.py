"""YouTube-BB: boxes of 380,000 segments of videos, one per second.

Its owners publish the boxes only: yt_bb_detection_train.csv, or the same with
.gz, with a row (no header) of youtube_id, timestamp_ms, class_id, class_name,
object_id, object_presence, xmin, xmax, ymin, ymax for each frame; fractions of
the image, -1 where the target is absent. A track is a (youtube_id, class_id,
object_id). Frames that users decoded are looked for under these names:

  frames/<youtube_id>/<timestamp_ms>.jpg
  train/<class_id>/<youtube_id>_<timestamp_ms>_<class_id>_<object_id>.jpg
  train/<youtube_id>_<timestamp_ms>_<class_id>_<object_id>.jpg
  youtubebbdevkit2017/youtubebb2017/JPEGImages/
      <youtube_id>+<class_id>+<object_id>+<timestamp_ms>.jpg

The last is what voc_convert.py of github.com/mbuckler/youtube-bb writes; its
older versions call the first folder youtubebbdevkit.

Source: Real et al., "YouTube-BoundingBoxes", CVPR 2017;
https://research.google.com/youtube-bb/download.html.
"""

import csv
import functools
import gzip
import itertools
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from siamkpn_jax.core.numbers import real, whole
from siamkpn_jax.core.reading import unreachable
from siamkpn_jax.datasets.formats import scan
from siamkpn_jax.datasets.tracks import Dropped, RawTrack

EXPECTED = ('yt_bb_detection_train.csv[.gz] and frames, for example '
            'frames/<youtube_id>/<timestamp_ms>.jpg')

# Copies of the set carry either name.
_CSV = ('yt_bb_detection_train.csv',
        'youtube_boundingboxes_detection_train.csv')


class _Row(NamedTuple):
  video: str
  ms: int
  klass: str
  object: str
  absent: bool
  box_xywh: tuple[float, float, float, float]


def annotations(folder: Path) -> list[Path]:
  """See `Layout`."""
  names = scan.names(folder)
  return [folder / name for base in _CSV for name in (base, f'{base}.gz')
          if name in names][:1]


def tracks(folder: Path, dropped: Dropped) -> Iterator[RawTrack]:
  """See `Layout`; frames that were not decoded are noted."""
  # Kept: these folders are few and large; frames/<youtube_id> is the opposite.
  listed = functools.cache(lambda sub: scan.names(folder / sub))
  for path in annotations(folder):
    rows = _rows(path, dropped)
    # The rows of a video follow each other; those of its tracks are mixed.
    for video, group in itertools.groupby(rows, lambda row: row.video):
      own = scan.names(folder / 'frames' / video)
      found: dict[tuple[str, str], list[_Row]] = {}
      for row in group:
        found.setdefault((row.klass, row.object), []).append(row)
      for of_track in found.values():
        track = _track(of_track, own, listed, dropped)
        if track is not None:
          yield track


def _rows(path: Path, dropped: Dropped) -> Iterator[_Row]:
  """Streams the file; the part before a damage is used."""
  opener = gzip.open if path.suffix == '.gz' else open
  try:
    with opener(path, 'rt', encoding='utf-8-sig',
                errors='surrogateescape') as file:
      for line in filter(str.strip, file):
        try:
          # Each by itself: a stray quote would swallow the rows after it.
          yield _parse(next(csv.reader([line])))
        except (ValueError, csv.Error):
          dropped.add('frames: row cannot be read', line.strip()[:80])
  except (gzip.BadGzipFile, EOFError, zlib.error):
    dropped.add('files: annotation is damaged', str(path))
  except OSError as error:
    raise unreachable(path, error) from error


def _parse(words: list[str]) -> _Row:
  video, ms, klass, _, target, presence, *corners = words
  x1, x2, y1, y2 = map(real, corners)
  return _Row(video, whole(ms), klass, target, presence != 'present',
              (x1, y1, x2 - x1, y2 - y1))


def _track(rows: list[_Row], own: frozenset[str],
           listed: Callable[[str], frozenset[str]],
           dropped: Dropped) -> RawTrack | None:
  """The decoded frames of one target.

  They lie among the files of frames/<youtube_id>, its own, or in any other
  folder, whose files `listed` gives. Those that were not decoded are noted.
  """
  rows = sorted(rows, key=lambda row: row.ms)
  files = [_frame(row, own, listed) for row in rows]
  first = _voc_name(rows[0])  # with its time: unique even in a shuffled file
  dropped.add('frames: not decoded', first, files.count(None))
  images = [file for file in files if file is not None]
  if not images:
    return None
  kept = [row for row, file in zip(rows, files, strict=True) if file]
  return RawTrack(first, images,
                  np.array([row.box_xywh for row in kept], np.float64),
                  np.array([row.absent for row in kept], bool), relative=True)


def _voc_name(row: _Row) -> str:
  return f'{row.video}+{row.klass}+{row.object}+{row.ms}'


def _frame(row: _Row, own: frozenset[str],
           listed: Callable[[str], frozenset[str]]) -> str | None:
  """The decoded frame of a row, relative to the folder of the set."""
  if f'{row.ms}.jpg' in own:
    return f'frames/{row.video}/{row.ms}.jpg'
  flat = f'{row.video}_{row.ms}_{row.klass}_{row.object}.jpg'
  voc = f'{_voc_name(row)}.jpg'
  for sub, name in (
      (f'train/{row.klass}', flat), ('train', flat),
      ('youtubebbdevkit2017/youtubebb2017/JPEGImages', voc),
      ('youtubebbdevkit/youtubebb2017/JPEGImages', voc)):
    if name in listed(sub):
      return f'{sub}/{name}'
  return None
