"""Training sets as crop511 crops of less quality, from any layout of images."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UnreachableError, UserError
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.cutouts.library import mask_of
from siamkpn_jax.datasets.image_source import ImageSource
from siamkpn_jax.datasets.patches import decode_patch
from siamkpn_jax.datasets.shrinking.material import (
  Entries,
  Frame,
  Material,
  encode_jpeg,
)

_SIDE = geometry.CONTEXT_SIZE
_BLOCK = 16  # pixels of a JPEG that are compressed together


def crops(name: str, folder: Path, *, reach: int, quality: int) -> Material:
  """A set as crops, with the masks of those that have one.

  What is outside of the central patch of side `reach`, which training reads,
  becomes flat: it costs next to nothing.

  Raises:
    UserError: there is no such set of image files.
  """
  source = catalog.open_images(name, folder)
  path = lambda track, frame: folder / _image(source, track, frame)

  def make(track: int, frame: int) -> Frame | None:
    try:
      image, wh = decode_patch(source.load(track, frame), _SIDE)
    except UnreachableError:
      raise
    except UserError:
      return None
    place = '{}/{:06d}.{}.x.jpg'.format(*_names(source, track, frame))
    files = {place: encode_jpeg(flattened(image, reach), quality)}
    mask = Path(mask_of(str(path(track, frame))))
    if source.kind == 'crop511' and mask.is_file():
      files[mask_of(place)] = mask.read_bytes()
    return Frame(files, np.round(wh, 3).astype(float).tolist())

  def sources(track: int, frame: int) -> list[Path]:
    image = path(track, frame)
    return [image, *([Path(mask_of(str(image)))]
                     if source.kind == 'crop511' else [])]

  def listing(entries: Entries) -> dict[str, bytes]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (track, frame), wh in entries.items():
      video, number, target = _names(source, track, frame)
      found.setdefault(video, {}).setdefault(target, {})[str(number)] = wh
    return {'train.json': json.dumps(found, separators=(',', ':')).encode()}

  lengths = [source.num_frames(track) for track in range(source.num_tracks)]
  return Material(name, source.kind, lengths, make, sources, listing)


def flattened(image: np.ndarray, reach: int) -> np.ndarray:
  """The mean color in [511, 511, 3] uint8 where training never looks.

  The central patch of side `reach`, odd, stays, and blocks of the JPEG that it
  touches, too.
  """
  margin = (_SIDE - reach) // 2
  low, high = margin // _BLOCK * _BLOCK, -(-(_SIDE - margin) // _BLOCK) * _BLOCK
  out = np.empty_like(image)
  out[...] = np.round(cv2.mean(image)[:3])
  out[low:high, low:high] = image[low:high, low:high]
  return out


def _image(source: ImageSource, track: int, frame: int) -> str:
  return source.index.image(int(source.index.starts[track]) + frame)


def _names(source: ImageSource, track: int,
           frame: int) -> tuple[str, int, str]:
  """Video, number of the frame and track, as crop511 names them.

  Crops keep theirs. In other layouts a video is what its tracks have images of
  in common.
  """
  if source.kind != 'crop511':
    return f'{source.groups[track]:06d}', frame, f'{track:06d}'
  video, _, name = _image(source, track, frame).rpartition('/')
  number, target = name.removesuffix('.x.jpg').split('.', 1)
  return video.removeprefix('crop511/'), int(number), target
