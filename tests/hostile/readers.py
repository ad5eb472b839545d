"""What reads the hostile files, as the commands do: reads, checks, writes."""

import contextlib
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.core.atomic_io import write_file
from siamkpn_jax.core.boxes import check_box
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import image_size, jpeg_header, read_image
from siamkpn_jax.datasets.formats import LAYOUTS
from siamkpn_jax.datasets.index import Index, build_index, load_index
from siamkpn_jax.datasets.interchange import coco_video, cvat
from siamkpn_jax.datasets.packed_source import PackedSource
from siamkpn_jax.datasets.tracks import Dropped
from siamkpn_jax.evaluation import scoring
from siamkpn_jax.evaluation.formats import attributes, regions, results
from siamkpn_jax.evaluation.formats.sequences import (
  load_annotations,
  with_frames,
)
from siamkpn_jax.evaluation.formats.vot_sequences import frame_size, load_vot
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.report import comparison, details, tables
from siamkpn_jax.evaluation.report.entries import read_entry
from siamkpn_jax.evaluation.run import jobs, supervised
from siamkpn_jax.evaluation.run.one_pass import one_pass_job
from siamkpn_jax.tracking import callers_boxes, given_boxes
from siamkpn_jax.tracking.video import open_frames

Reader = Callable[[Path], object]


def trained_on(layout: str) -> Reader:
  """Reads a training set; what is left must be usable."""

  def read(folder: Path) -> None:
    dropped = Dropped()
    LAYOUTS[layout].annotations(folder)
    check_index(build_index(LAYOUTS[layout].tracks(folder, dropped), folder,
                            dropped), dropped)

  return read


def check_index(index: Index, dropped: Dropped) -> None:
  """An index whose parts fit, as training relies on."""
  boxes = index.boxes_xywh
  assert index.starts[0] == 0 and index.starts[-1] == len(boxes)
  assert (np.diff(index.starts) > 0).all()
  assert boxes.shape[1:] == (4,) and np.isfinite(boxes).all()
  assert (boxes[:, 2:] > 0).all()
  assert len(index.names) == len(index.folder_ids) == len(boxes)
  for frame in range(len(boxes)):
    index.image(frame)
  assert all(count > 0 for count in dropped.counts.values())


def cached_index(folder: Path) -> None:
  """Reads a training set whose cache may be damaged."""
  before = os.environ.get('XDG_CACHE_HOME')
  os.environ['XDG_CACHE_HOME'] = str(folder / '.home')  # the second place
  try:
    check_index(*load_index('folder', folder, LAYOUTS['folder']))
  finally:
    os.environ.pop('XDG_CACHE_HOME')
    if before is not None:
      os.environ['XDG_CACHE_HOME'] = before


def evaluated_on(benchmark: str, path: str = '') -> Reader:
  """Reads a benchmark, finds images, writes under the names."""

  def read(folder: Path) -> None:
    found = load_annotations(benchmark, folder / path)
    jobs.check_names([a.name for a in found])
    for annotation in found:
      assert np.isfinite(annotation.boxes_xywh[0]).all()
      try:
        video = with_frames(annotation)
      except UserError:
        continue
      job = one_pass_job(video, folder / 'out', benchmark)
      results.write_boxes(job.path, video.boxes_xywh[:1])
      write_file(job.time_path, '0\n')

  return read


def scored(benchmark: str) -> Reader:
  """Scores the result files in results/ by annotations in data/."""

  def read(folder: Path) -> None:
    error = None
    for protocol in scoring.ONE_PASS if benchmark == 'otb' else (None,):
      try:
        summary = scoring.score(scoring.ScoringRequest(
            benchmark, folder / 'data', folder / 'results', protocol))
      except UserError as refused:  # by another rule it may be scored
        error = refused
        continue
      assert all(0 <= value <= 1 for key, value in summary.items() if key in (
          'success_auc', 'precision_20', 'norm_precision', 'ao', 'accuracy')
          and value is not None)
      results.write_summary(folder / 'out.json', summary)  # finite numbers only
      read_entry('x', folder / 'out.json')
    if error:
      raise error

  return read


def vot_sequences(path: str = '') -> Reader:
  """Reads a VOT challenge and writes under the names."""

  def read(folder: Path) -> None:
    found = load_vot(folder / path)
    jobs.check_names([s.name for s in found])
    supervised.check_images(found)
    rule = vot.find_protocol(vot.OWN_RULE, 'vot2018')
    for sequence in found:
      frame_size(sequence)
    for job in supervised.supervised_jobs(found, folder / 'out', rule):
      write_file(job.path, '1\n')
      write_file(job.time_path, '0\n')

  return read


def region_files(folder: Path) -> None:
  """Reads every kind of file of regions."""
  for name, read in itertools.product(
      ('a.txt', 'a.bin'), (regions.read_truth, regions.read_trajectory)):
    if (folder / name).is_file():
      try:
        found = read(folder / name)
      except UserError:
        continue
      regions.corners(found, inclusive=True)
      regions.write_trajectory(folder / 'out.txt', found)


def attribute_list(folder: Path) -> None:
  """Reads annotations and their attributes."""
  found = load_annotations('otb', folder / 'data')
  path = attributes.find(folder / 'data')
  if path is not None:
    attributes.with_attributes(found, path, 'otb')


def tables_of_scores(folder: Path) -> None:
  """Reads scores and writes the tables of a report, as text."""
  entries = [read_entry(name, folder / f'{name}.json') for name in 'ab'
             if (folder / f'{name}.json').is_file()]
  from siamkpn_jax.evaluation.report.write import check_comparable
  check_comparable(entries)
  for table in (details.runs(entries), comparison.table(entries),
                details.attributes(entries), details.sequences(entries)):
    if table:
      tables.write(table, folder / 'out')
      tables.to_html(table).encode()


def images(folder: Path) -> None:
  """Reads every image in every way."""
  for path in sorted(folder.iterdir()):
    for read in (read_image, lambda p: image_size(p.read_bytes(), p),
                 lambda p: jpeg_header(p.read_bytes())):
      try:
        read(path)
      except (UserError, IsADirectoryError):
        continue


def frames(path: str = '') -> Reader:
  """Reads all frames of a folder of images or a video."""

  def read(folder: Path) -> None:
    with open_frames(folder / path) as source:
      for frame in itertools.islice(source, 99):
        assert frame.dtype == np.uint8 and frame.shape[:2] == source.size[::-1]

  return read


def packed(folder: Path) -> None:
  """Reads every crop of a packed set."""
  source = PackedSource('x', str(folder))
  assert source.total_frames < 1000
  for track in range(source.num_tracks):
    for position in range(source.num_frames(track)):
      try:
        image, wh = source.read(track, position, 255)
      except UserError:
        continue
      assert image.shape == (255, 255, 3) and np.isfinite(wh).all()


def box_strings(folder: Path) -> None:
  """Reads each line as --box of `track`."""
  from siamkpn_jax.cli.track import parse_box
  for line in lines_of(folder / 'boxes.txt'):
    for size in ((64, 48), (1, 1)):
      try:
        box = check_box(parse_box(line), *size)
      except UserError:
        continue
      assert np.isfinite(box).all() and (box[2:] > 0).all()


def lines_of(path: Path) -> list[str]:
  """Arguments as a terminal gives them, one a line."""
  if not path.is_file():
    return []
  text = path.read_bytes().decode(errors='surrogateescape')
  return text.replace('\0', '').split('\n')[:9]


def cutouts(folder: Path) -> None:
  """Reads all cut-outs of a folder of pictures."""
  from siamkpn_jax.datasets.cutouts import open_library
  library = open_library([folder])
  for number in range(library.num_cutouts):
    try:
      library.frames(number)
    except UserError:
      continue
  for number in range(library.num_backdrops):
    try:
      library.backdrop(number)
    except UserError:
      continue


def jpeg(size: int = 16) -> bytes:
  """A small picture."""
  image = np.random.default_rng(0).integers(0, 255, (size, size, 3), np.uint8)
  return cv2.imencode('.jpg', image)[1].tobytes()


def png(channels: int = 3) -> bytes:
  """A small picture, with alpha if asked to."""
  image = np.random.default_rng(0).integers(
      0, 255, (24, 24, channels), np.uint8)
  image[4:20, 4:20, -1] = 255
  return cv2.imencode('.png', image)[1].tobytes()


def labels(folder: Path) -> None:
  """Reads the boxes of every file of labels, and writes them."""
  for path in sorted(folder.glob('a.*')):
    try:
      found = given_boxes.read_boxes(path, size=(64, 48))
    except UserError:
      continue
    assert all(np.isfinite(box.box_xywh).all() and not box.relative
               for box in found)
    with contextlib.suppress(UserError):
      callers_boxes.starts(found, 1, path)


def label_writers(folder: Path) -> None:
  """Writes again what it can read."""
  with contextlib.suppress(OSError, ValueError):
    video = cvat.parse((folder / 'a.xml').read_bytes())
    if video is not None:
      cvat.write(video)
      json.dumps(coco_video.write(video), allow_nan=False)
