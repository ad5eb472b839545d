"""Packs a training set part by part; what is whole already is kept."""

import contextlib
import dataclasses
import io
import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging
from etils import epath
from google.protobuf import json_format

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import file_lock
from siamkpn_jax.datasets.image_source import ImageSource
from siamkpn_jax.datasets.packed_source import (
  INDEX_NAME,
  PLAN_NAME,
  PackedIndex,
)
from siamkpn_jax.datasets.packing import records
from siamkpn_jax.datasets.packing.beam import beam_download
from siamkpn_jax.datasets.packing.builder import (
  PartConfig,
  SiamkpnCrops,
  is_readable,
  open_set,
)
from siamkpn_jax.datasets.packing.records import Records
from siamkpn_jax.datasets.tracks import Dropped

# A part that is not whole; of a disk, and of storage.
_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError,
            tf.errors.NotFoundError)
_RECORDS_NAME = 'siamkpn_records.npz'  # in a part: where its crops are


def pack(folder: Path, output: epath.Path, *, part_frames: int, quality: int,
         verify: bool = False, beam_options: str = '') -> PackedIndex:
  """Writes `output`/<name of the folder>, or what of it is missing.

  Args:
    folder: of the set, in any layout that training reads.
    output: folder of packed sets, also one that epath knows, as gs://...
    part_frames: frames in a part; an interruption loses one part at most.
    quality: of the JPEGs of new crops, 1 to 100.
    verify: read the parts that are there and check every record.
    beam_options: of the Beam pipeline that makes the crops, 'name=value,...';
      empty: threads of this machine.

  Returns:
    Where every crop is.

  Raises:
    UserError: no such set, nothing in it can be read, the output holds
      something else or cannot be written to, or wrong options.
  """
  logging.set_verbosity(logging.ERROR)
  tfds.disable_progress_bar()
  download = beam_download(beam_options) if beam_options else None
  folder = Path(os.path.abspath(folder))
  open_set.cache_clear()  # the set may have changed since the last call
  source = open_set(str(folder))
  home = output / folder.name
  if os.path.realpath(home) == os.path.realpath(folder):
    raise UserError(f'--output {output}: {home} is the data set itself; '
                    'expected another folder')
  plan = {'digest': source.index.digest(), 'part_frames': part_frames,
          'quality': quality}
  try:
    _keep_plan(home / PLAN_NAME, plan)
    with _lock(home):
      found = [_part(config, home, verify, download)
               for config in _configs(folder, source.total_frames, part_frames,
                                      quality, beam=bool(beam_options))]
      index, dropped = _index(source, records.join(found))
      _write(home / INDEX_NAME, index.to_bytes(dropped))
  except tf.errors.OpError as error:  # of storage; a disk has OSError
    raise UserError(f'{home}: {" ".join(error.message.split())}; expected '
                    'writable storage') from error
  return index


def _configs(folder: Path, frames: int, part_frames: int, quality: int, *,
             beam: bool) -> list[PartConfig]:
  count = -(-frames // part_frames)
  return [PartConfig(
      name=f'part_{k:05d}_of_{count:05d}', version='1.0.0',
      folder=str(folder), quality=quality, beam=beam,
      frames=(k * part_frames, min((k + 1) * part_frames, frames)))
      for k in range(count)]


def _keep_plan(path: epath.Path, plan: dict) -> None:
  """Writes the plan, or checks that it is the one of an earlier start."""
  home = path.parent
  if not path.exists():
    if home.exists() and any(home.iterdir()):
      raise UserError(f'{home}: not a packed data set; expected one, or no '
                      'such folder: choose another --output')
    home.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps(plan, indent=2).encode())
    return
  try:
    found = json.loads(path.read_text())
  except (ValueError, RecursionError):
    found = None
  if found != plan:
    raise UserError(
        f'{home}: packed from other data, by another version, or with another '
        '--quality or --part_frames; expected the same to resume: choose '
        'another --output, or remove that folder')


@contextlib.contextmanager
def _lock(home: epath.Path) -> Iterator[None]:
  """Keeps a second packing out, as far as the file system knows locks."""
  if '://' in str(home):
    yield
    return
  with file_lock(Path(home) / '.siamkpn_lock',
                 lambda who: f'{home}: another process is packing it ({who}); '
                 'expected only one: wait for it, or stop it'):
    yield


def _part(config: PartConfig, home: epath.Path, verify: bool,
          download: tfds.download.DownloadConfig | None) -> Records:
  """The crops of a part, which is made if it is not there; files below home."""
  place = home / SiamkpnCrops.name / config.name / config.version
  found = _whole(place, config, verify)
  if found is None:
    # The part, or what an interruption left of it.
    for left in place.parent.iterdir() if place.parent.exists() else ():
      left.rmtree()
    print(f'{config.name}: {np.diff(config.frames)[0]:,} frames')
    _make(SiamkpnCrops(data_dir=home, config=config), download)
    (home / 'downloads').rmtree(missing_ok=True)
    found = records.scan(place)
    _write(place / _RECORDS_NAME, found.to_npz())
  prefix = os.path.relpath(place, home)
  return dataclasses.replace(found, files=np.array(
      [f'{prefix}/{name}' for name in found.files]))


def _make(builder: SiamkpnCrops,
          download: tfds.download.DownloadConfig | None) -> None:
  try:
    with contextlib.redirect_stdout(io.StringIO()):  # talks of downloading
      builder.download_and_prepare(
          download_config=download or tfds.download.DownloadConfig())
  except Exception as error:
    cause = _outside(error, beam=download is not None)
    if cause is None:
      raise
    reason = ' '.join(str(cause).split())
    raise UserError(
        f'{builder.data_dir}: packing failed ({reason[:500]}); expected enough '
        'space and, with Beam, workers that can read the data set: run the '
        'same command to resume (--debug shows more)') from error


def _outside(error: BaseException, *, beam: bool) -> BaseException | None:
  """What went wrong outside of the program: TFDS and Beam wrap it; or None.

  Beam's runners have errors of their own, and a worker elsewhere sends text
  alone.
  """
  reason: BaseException | None = error
  while reason is not None:
    if isinstance(reason, tf.errors.OpError | OSError | UserError):
      return reason
    # Beam leaves the cause to the context; that of others may be anything.
    reason, last = reason.__cause__ or (
        reason.__context__ if type(reason) is RuntimeError else None), reason
  ours = type(last).__module__ == 'builtins' and type(last) is not RuntimeError
  return error if beam and not ours else None


def _whole(place: epath.Path, config: PartConfig,
           verify: bool) -> Records | None:
  """What is noted of a part; None if it is not there, or to be made again."""
  if not place.exists():
    return None
  try:
    _check_described(place)
    found = Records.from_bytes((place / _RECORDS_NAME).read_bytes())
    fine = (place / 'features.json').exists() and np.array_equal(
        np.sort(found.frames), np.arange(*config.frames)) and all(
        (place / name).stat().length == size
        for name, size in zip(found.files, found.sizes, strict=True))
    if fine and verify:
      fine = found.to_npz() == records.scan(place).to_npz()
  except (UserError, ValueError, *_MISSING) as error:
    print(f'{place}: {" ".join(str(error).split())}', file=sys.stderr)
    fine = False
  if not fine:
    print(f'{place}: damaged or incomplete; rebuilding it', file=sys.stderr)
    return None
  unread = found.frames[(found.wh <= 0).any(axis=1)]
  if any(is_readable(config.folder, int(frame)) for frame in unread):
    print(f'{place}: some images can be read now that could not before; '
          'rebuilding it', file=sys.stderr)
    return None
  return found


def _check_described(place: epath.Path) -> None:
  """Checks that TFDS can read what it wrote of a part.

  Raises:
    ValueError: it cannot.
    OSError: nor can anybody else.
  """
  try:
    tfds.builder_from_directory(place)
  # What JSON of another form makes of its code.
  except (json_format.Error, RecursionError, TypeError, LookupError,
          AttributeError) as error:
    raise ValueError(str(error)) from error
  except OSError as error:
    if error.errno is not None:
      raise
    raise ValueError(str(error)) from error  # its own for damage


def _index(source: ImageSource,
           found: Records) -> tuple[PackedIndex, Dropped]:
  """Crops in the order of the tracks, and what is left out of the set."""
  order = np.argsort(found.frames)
  if not np.array_equal(found.frames[order], np.arange(source.total_frames)):
    raise UserError('the records do not hold every frame exactly once; '
                    'expected the same data on every worker: remove the output')
  dropped = source.dropped
  readable = (found.wh[order] > 0).all(axis=1)
  bad = np.flatnonzero(~readable)
  if len(bad):
    dropped.add('frames: image cannot be read',
                source.index.image(int(bad[0])), len(bad))
  order = order[readable]
  if not len(order):
    raise UserError('no image of the data set can be read; expected intact '
                    'jpg, png or bmp files: restore them and run the same '
                    'command')
  kept = np.concatenate([[0], np.cumsum(readable)])
  of_crops = {name: getattr(found, name)[order] for name in (
      'file_ids', 'offsets', 'lengths', 'checksums', 'wh')}
  starts = kept[source.index.starts]
  groups = (np.zeros(0, int) if source.groups is None else
            source.groups[starts[:-1] < starts[1:]])
  return PackedIndex(starts=np.unique(starts), groups=groups,
                     files=found.files, sizes=found.sizes, **of_crops), dropped


def _write(path: epath.Path, data: bytes) -> None:
  """Whole or not at all; not where it is there already."""
  if path.exists() and path.read_bytes() == data:
    return
  partial = path.parent / f'.{path.name}.{uuid.uuid4().hex[:12]}'
  try:
    partial.write_bytes(data)
    partial.replace(path)
  finally:
    with contextlib.suppress(OSError):
      partial.unlink(missing_ok=True)
