"""Sources without files, whose pixels tell what was read; or of one set."""

import threading

import numpy as np

from siamkpn_jax.config.settings import DataConfig
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import catalog


def drawn(ratios, ranges, negative_fraction, gray_fraction, **kwargs):
  """A `config.data` of sources that are given."""
  return DataConfig(
      sets=tuple(f'set{k}' for k in range(len(ratios))), ratios=ratios,
      ranges=ranges, negative_fraction=negative_fraction,
      gray_fraction=gray_fraction, **kwargs)


def open_one(folder, **kwargs):
  """The set in a folder, or at an address."""
  root, _, name = str(folder).rpartition('/')
  (source,) = catalog.open_sources(DataConfig(
      sets=(name,), ratios=(1.0,), ranges=(1,), root=root, **kwargs), 0)
  return source


class FakeSource:
  """Tracks of given lengths; read pixels are (source, track, position)."""

  groups = None

  def __init__(self, number, lengths, fail_at=None):
    self.name = f'fake{number}'
    self.num_tracks = len(lengths)
    self.threads = set()
    self._number, self._lengths, self._fail_at = number, lengths, fail_at
    self.reads = 0

  def num_frames(self, track):
    return self._lengths[track]

  def read(self, track, position, patch):
    assert 0 <= position < self._lengths[track]
    self.threads.add(threading.current_thread())
    self.reads += 1
    if self._fail_at is not None and self.reads > self._fail_at:
      raise OSError('this disk is broken')
    image = np.full((patch, patch, 3), (self._number, track, position), 'u1')
    return image, np.float32([track + 1, position + 1])


class PartlyDamaged(FakeSource):
  """Frames at some positions cannot be read."""

  def __init__(self, number, lengths, bad):
    super().__init__(number, lengths)
    self._bad = bad

  def read(self, track, position, patch):
    if position in self._bad:
      raise UserError(f'{track}/{position}.jpg: this image cannot be read')
    return super().read(track, position, patch)
