"""Reads a miniature and checks what holds for every layout."""

import numpy as np

from siamkpn_jax.core.images import read_image
from siamkpn_jax.datasets.formats import LAYOUTS
from siamkpn_jax.datasets.tracks import Dropped

NAN = float('nan')


def read(layout, folder):
  """{name: track}, {reason: count}; checks what holds for every track."""
  dropped = Dropped()
  found = list(LAYOUTS[layout].tracks(folder, dropped))
  for track in found:
    length = len(track.images)
    assert length and len(set(track.images)) == length
    assert track.boxes_xywh.shape == (length, 4)
    assert track.boxes_xywh.dtype == np.float64
    assert track.absent.shape == (length,) and track.absent.dtype == bool
    assert not any(image.startswith(('/', './')) for image in track.images)
    assert track.relative == (layout == 'youtube_bb')
  names = [track.name for track in found]
  assert len(set(names)) == len(names)
  assert all(count > 0 for count in dropped.counts.values())
  assert dropped.counts.keys() == dropped.examples.keys()
  return dict(zip(names, found, strict=True)), dict(dropped.counts)


def check(track, images, boxes, absent=()):
  """Exact content; the images are there. `absent`: positions."""
  assert track.images == list(images)
  np.testing.assert_array_equal(track.boxes_xywh, np.array(boxes, float))
  assert np.flatnonzero(track.absent).tolist() == list(absent)


def check_images(folder, tracks, missing=()):
  found = {image for track in tracks.values() for image in track.images}
  assert {i for i in found if not (folder / i).is_file()} == set(missing)
  for image in found - set(missing):
    assert read_image(folder / image).shape == (6, 8, 3)


def names_of(folder, paths):
  assert all(path.exists() for path in paths)
  return sorted(path.relative_to(folder).as_posix() for path in paths)
