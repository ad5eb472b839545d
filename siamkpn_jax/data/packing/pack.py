"""Packs a training set part by part; what is whole already is kept."""

import contextlib
import dataclasses
import io
import json
import os
import sys
import uuid
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging
from etils import epath

from siamkpn_jax.data.packing import records
from siamkpn_jax.data.packing.builder import PartConfig, SiamkpnCrops, open_set
from siamkpn_jax.data.packing.records import Records
from siamkpn_jax.data.sources.images import ImageSource
from siamkpn_jax.data.sources.packed import INDEX_NAME, PackedIndex
from siamkpn_jax.data.tracks import Dropped
from siamkpn_jax.errors import UserError

_PLAN_NAME = 'siamkpn_plan.json'
_RECORDS_NAME = 'siamkpn_records.npz'  # in a part: where its crops are
_FRAMES_IN_FILE = 4096  # with Beam; about 200 MB


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
    UserError: no such set, nothing in it can be read, or the output holds
      something else.
  """
  logging.set_verbosity(logging.ERROR)
  tfds.disable_progress_bar()
  folder = folder.absolute()
  open_set.cache_clear()  # the set may have changed since the last call
  source = open_set(str(folder))
  home = output / folder.name
  if os.path.realpath(home) == os.path.realpath(folder):
    raise UserError(f'--output {output}: {home} is the set itself; expected '
                    'another folder')
  _keep_plan(home / _PLAN_NAME, {
      'digest': source.index.digest(), 'part_frames': part_frames,
      'quality': quality})
  count = -(-source.total_frames // part_frames)
  found = []
  for k in range(count):
    stop = min((k + 1) * part_frames, source.total_frames)
    config = PartConfig(
        name=f'part_{k:05d}_of_{count:05d}', version='1.0.0',
        folder=str(folder), frames=(k * part_frames, stop), quality=quality,
        beam=bool(beam_options))
    found.append(_part(config, home, verify, beam_options))
  index, dropped = _index(source, records.join(found))
  _write(home / INDEX_NAME, index.to_bytes(dropped))
  return index


def _keep_plan(path: epath.Path, plan: dict) -> None:
  """Writes the plan, or checks that it is the one of an earlier start."""
  if not path.exists():
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps(plan, indent=2).encode())
  elif json.loads(path.read_text()) != plan:
    raise UserError(
        f'{path.parent}: was packed from other data, or with another '
        '--quality or --part_frames; expected the same to go on: give another '
        '--output, or remove that folder')


def _part(config: PartConfig, home: epath.Path, verify: bool,
          beam_options: str) -> Records:
  """The crops of a part, which is made if it is not there; files below home."""
  builder = SiamkpnCrops(data_dir=home, config=config)
  place = epath.Path(builder.data_path)
  found = _whole(place, verify)
  if found is None:
    for left in place.parent.glob('*') if place.parent.exists() else ():
      left.rmtree()
    print(f'{place.parent.name}: {np.diff(config.frames)[0]:,} frames')
    _make(builder, config, beam_options)
    (home / 'downloads').rmtree(missing_ok=True)
    found = records.scan(place)
    _write(place / _RECORDS_NAME, found.to_bytes())
  prefix = os.path.relpath(place, home)
  return dataclasses.replace(found, files=np.array(
      [f'{prefix}/{name}' for name in found.files]))


def _make(builder: SiamkpnCrops, config: PartConfig,
          beam_options: str) -> None:
  try:
    with contextlib.redirect_stdout(io.StringIO()):  # talks of downloading
      builder.download_and_prepare(
          download_config=_download(config, beam_options))
  except Exception as error:  # TFDS wraps what went wrong
    if not isinstance(error.__cause__ or error, tf.errors.OpError | OSError):
      raise
    reason = ' '.join(str(error.__cause__ or error).split())
    raise UserError(f'{builder.data_dir}: cannot be written ({reason}); '
                    'expected a place with room: make some; the same command '
                    'goes on') from error


def _whole(place: epath.Path, verify: bool) -> Records | None:
  """What is noted of a part; None if it is not there, or damaged."""
  if not place.exists():
    return None
  try:
    found = Records.from_bytes((place / _RECORDS_NAME).read_bytes())
    fine = all((place / name).stat().length == size
               for name, size in zip(found.files, found.sizes, strict=True))
    if fine and verify:
      again = records.scan(place)
      fine = found.to_bytes() == again.to_bytes()
  except Exception as error:  # damage shows as errors of any kind
    print(f'{place}: {error}', file=sys.stderr)
    fine = False
  if fine:
    return found
  print(f'{place}: damaged or not complete; made again', file=sys.stderr)
  return None


def _download(config: PartConfig,
              beam_options: str) -> tfds.download.DownloadConfig:
  if not beam_options:
    return tfds.download.DownloadConfig()
  beam = tfds.core.lazy_imports.apache_beam
  options = beam.options.pipeline_options.PipelineOptions(
      flags=[f'--{option}' for option in beam_options.split(',')])
  files = -(-int(np.diff(config.frames)[0]) // _FRAMES_IN_FILE)
  return tfds.download.DownloadConfig(
      beam_options=options, nondeterministic_order=True, num_shards=files)


def _index(source: ImageSource,
           found: Records) -> tuple[PackedIndex, Dropped]:
  """Crops in the order of the tracks, and what is left out of the set."""
  order = np.argsort(found.frames)
  if not np.array_equal(found.frames[order], np.arange(source.total_frames)):
    raise UserError('the records do not hold every frame once; expected the '
                    'same data on every worker: remove the output')
  dropped = source.dropped
  readable = (found.wh[order] > 0).all(axis=1)
  bad = np.flatnonzero(~readable)
  if len(bad):
    dropped.add('frames: image cannot be read',
                source.index.image(int(bad[0])), len(bad))
  order = order[readable]
  if not len(order):
    raise UserError('no image of the set can be read; expected whole jpg, png '
                    'or bmp files')
  kept = np.concatenate([[0], np.cumsum(readable)])
  return PackedIndex(
      np.unique(kept[source.index.starts]), found.files, found.sizes,
      found.file_ids[order], found.offsets[order], found.lengths[order],
      found.checksums[order], found.wh[order]), dropped


def _write(path: epath.Path, data: bytes) -> None:
  """Whole or not at all."""
  partial = path.parent / f'.{path.name}.{uuid.uuid4().hex[:12]}'
  try:
    partial.write_bytes(data)
    partial.replace(path)
  finally:
    partial.unlink(missing_ok=True)
