"""Scenes of cut-outs as a training source."""

import functools

import numpy as np

from siamkpn_jax.datasets.cutouts.actors import Identity, random_identity
from siamkpn_jax.datasets.cutouts.library import Library
from siamkpn_jax.datasets.cutouts.shot import Shot, compose, random_shot
from siamkpn_jax.datasets.patches import check_patch
from siamkpn_jax.datasets.synthetic import signals

_LENGTH = 32  # positions of a track
_SCENES = 1000  # tracks of each object
# A track is one shot, or is cut after so many positions; with what share.
_SHOTS, _SHARES = (_LENGTH, 8, 1), (0.5, 0.25, 0.25)
_KEPT_SHOTS = 16  # a pair is often from one


class CutoutSource:
  """Training source of scenes of cut-outs, composed when they are read.

  A track is one object. Its looks change slowly over its positions, and with
  its frames if it has several; at cuts it comes into another scene.

  Attributes:
    groups: see `Source`; the object of each track.
  """
  name = 'cutouts'
  kind = 'composed'

  def __init__(self, seed: int, library: Library):
    """Reads nothing yet; everything is drawn by the seed, 0 or more."""
    self.num_tracks = library.num_cutouts * _SCENES
    self.total_frames = self.num_tracks * _LENGTH
    self.dropped = library.dropped
    self.groups = np.tile(library.objects, _SCENES)
    self._seed, self._library = seed, library
    self._shot = functools.lru_cache(maxsize=_KEPT_SHOTS)(self._draw)

  def num_frames(self, track: int) -> int:
    """See `Source`."""
    del track
    return _LENGTH

  def read(self, track: int, position: int,
           patch: int) -> tuple[np.ndarray, np.ndarray]:
    """See `Source`.

    Raises:
      UserError: a file cannot be read.
      ValueError: the patch is even or too large.
    """
    check_patch(patch)
    rng = signals.stream(signals.CUTOUT, self._seed, track)
    length = _SHOTS[signals.pick(rng, _SHARES)]
    return compose(self._shot(track, position // length), position, _LENGTH,
                   patch)

  def _draw(self, track: int, number: int) -> Shot:
    """Shot `number` of a track."""
    rng = signals.stream(signals.CUTOUT, self._seed, track, 1 + number)
    cutout = track % self._library.num_cutouts
    return random_shot(rng, self._library, cutout,
                       self._identity(track, cutout))

  def _identity(self, track: int, cutout: int) -> Identity:
    rng = signals.stream(signals.CUTOUT, self._seed, track)
    rng.random()  # has told how long the shots are
    return random_identity(rng, self._library.frames(cutout))
