"""The state of a target as arrays, for another process or engine.

It holds the template crop, not what a network made of it: another engine makes
its own of it. `np.savez` writes it without pickle.
"""

import dataclasses
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError, first_line
from siamkpn_jax.tracking.choice import DecodeConfig, Hyperparameters, checked
from siamkpn_jax.tracking.correction import NONE, Correction
from siamkpn_jax.tracking.crop import TemplateInput
from siamkpn_jax.tracking.long_term import Judge, Memory

VERSION = 1
_USUAL, _IN = 'float32', ' in '
_FAR = 1e7  # pixels, beyond any frame
_MANY = 2**53  # frames
_COLOR = (0, 255)
_PLACE, _SIZE = (-_FAR, _FAR), (1e-3, _FAR)
_HYPERPARAMETERS = tuple(
    field.name for field in dataclasses.fields(Hyperparameters))
_RULE = ('topk_max', 'topk_min', 'search_size')  # compiled in
# What states were of before there was an entry for it.
_OLDER = {'search_size': np.array(geometry.SEARCH_SIZE, np.int64),
          'box_shift': NONE.shift, 'box_ratio': NONE.ratio}


@dataclasses.dataclass(frozen=True)
class _Entry:
  """What an array has to be.

  Attributes:
    dtype: exactly; no value is rounded.
    shape: exactly.
    limits: least and largest value, which excludes what is not finite.
    optional: [0] where there is none.
  """

  dtype: type
  shape: tuple[int, ...] = ()
  limits: tuple[float, float] = (0, _MANY)
  optional: bool = False

  def __str__(self) -> str:
    what = f'{np.dtype(self.dtype)} {list(self.shape)}'
    low, high = self.limits
    return what if self.dtype is np.bool_ else f'{what}, {low:g} to {high:g}'

  def fits(self, value: np.ndarray) -> bool:
    """Whether an array is one."""
    if value.dtype != self.dtype:
      return False
    if self.optional and value.shape == (0,):
      return True
    return value.shape == self.shape and bool(
        np.all((value >= self.limits[0]) & (value <= self.limits[1])))


_ENTRIES = {
    'crop': _Entry(np.uint8, (geometry.TEMPLATE_SIZE,) * 2 + (3,), _COLOR),
    'fill': _Entry(np.uint8, (3,), _COLOR),
    'first_center': _Entry(np.float32, (2,), _PLACE),
    'first_size': _Entry(np.float32, (2,), _SIZE),
    'center': _Entry(np.float32, (2,), _PLACE),
    'size': _Entry(np.float32, (2,), _SIZE),
    'score': _Entry(np.float64, (), (0, 1)),
    'updated': _Entry(np.bool_),
    'long_term': _Entry(np.bool_),
    'memory_center': _Entry(np.float32, (2,), _PLACE),
    'memory_size': _Entry(np.float32, (2,), _SIZE),
    'memory_lost': _Entry(np.bool_),
    'memory_count': _Entry(np.int64),
    'memory_place': _Entry(np.float32, (2,), _PLACE, optional=True),
    'memory_zoom': _Entry(np.float64, (), (1, 1e4)),
    'memory_looks': _Entry(np.int64),
    'memory_round': _Entry(np.int64, (), (0, 64)),  # 2**round places
    'memory_turn': _Entry(np.int64),
    'box_shift': _Entry(np.float32, (2,), (-10, 10)),
    'box_ratio': _Entry(np.float32, (2,), (0.1, 10)),
    **dict.fromkeys(_HYPERPARAMETERS, _Entry(np.float64, (), (0, 1000))),
    **dict.fromkeys(_RULE, _Entry(np.int64))}


@dataclasses.dataclass(frozen=True)
class Origin:
  """What a state belongs to.

  Attributes:
    weights: `content_digest` of them, or any other name that tells them from
      others; None: not known.
    config: how boxes are chosen, unless a target has its own hyperparameters.
    judge: of what the network says.
  """

  weights: str | None
  config: DecodeConfig
  judge: Judge

  def name(self) -> str:
    """That of the weights.

    Raises:
      ValueError: it is not known.
    """
    if self.weights is None:
      raise ValueError('state: the weights of this tracker have no name; load '
                       'it with load_tracker or load_batch_tracker, or create '
                       'it with weights=NAME')
    return self.weights


def name_of(digest: str | None, precision: str) -> str | None:
  """For `Origin.weights`: in another precision they are another network."""
  return (digest if digest is None or precision == _USUAL else
          f'{digest}{_IN}{precision}')


def _parts(name: str) -> tuple[str, str]:
  """(digest, precision) of a name."""
  digest, _, precision = name.partition(_IN)
  return digest, precision or _USUAL


@dataclasses.dataclass(frozen=True, eq=False)
class Saved:
  """A target between two frames; attributes as of `targets.Target`."""

  first: TemplateInput
  center: np.ndarray
  size: np.ndarray
  memory: Memory
  hyperparameters: Hyperparameters
  correction: Correction
  score: float
  updated: bool

  def confidence(self, judge: Judge) -> float | None:
    """Of the last update; None before it, and where it is not known."""
    return judge.confidence(self.memory, self.score) if self.updated else None


def to_arrays(saved: Saved, origin: Origin) -> dict[str, np.ndarray]:
  """Name -> array, of all that the next boxes depend on.

  Raises:
    ValueError: the weights have no name.
  """
  place = saved.memory.place
  values = {
      'crop': saved.first.crop, 'fill': saved.first.fill,
      'first_center': saved.first.center, 'first_size': saved.first.size,
      'center': saved.center, 'size': saved.size, 'score': saved.score,
      'updated': saved.updated, 'long_term': origin.judge.rule is not None,
      **{f'memory_{name}': value for name, value in vars(saved.memory).items()},
      'memory_place': [] if place is None else place,
      'box_shift': saved.correction.shift, 'box_ratio': saved.correction.ratio,
      **{name: getattr(saved.hyperparameters, name)
         for name in _HYPERPARAMETERS},
      **{name: getattr(origin.config, name) for name in _RULE}}
  return {'version': np.array(VERSION), 'weights': np.array(origin.name()),
          **{name: np.array(values[name], entry.dtype)
             for name, entry in _ENTRIES.items()}}


def from_arrays(state: Mapping[str, Any], origin: Origin) -> Saved:
  """What `to_arrays` was given.

  Args:
    state: of `to_arrays`, or what `np.load` makes of its file; more entries do
      no harm.
    origin: of the tracker that goes on with it.

  Raises:
    UserError: an entry is missing, or no such array; the state is of other
      weights, another version, or of tracking by other rules.
    ValueError: the weights of the tracker have no name.
  """
  name = origin.name()
  if not isinstance(state, Mapping):
    raise UserError(f'state: {type(state).__name__}; expected the dict that '
                    'state() returned, or what np.load makes of its file')
  version = _read(state, 'version')
  if version.shape or version != VERSION:
    raise UserError(f'state: version {version}; expected {VERSION}: save it '
                    'anew by this release')
  stored = str(_read(state, 'weights'))
  (ours, mine), (theirs, other) = (_parts(one) for one in (name, stored))
  if (ours, mine != other) == (theirs, True):
    raise UserError(f'state: is of a tracker in {other}, whose boxes are '
                    f'others than in {mine}; expected one loaded with '
                    f'precision={other!r}')
  if stored != name:
    raise UserError('state: is of other weights; expected one that was saved '
                    'by a tracker of the same weights: load those')
  arrays = {key: _read(state, key) if key in state or key not in _OLDER else
            _OLDER[key] for key in _ENTRIES}
  for key, entry in _ENTRIES.items():
    if not entry.fits(arrays[key]):
      raise UserError(f'state: {key} is {_short(arrays[key])}; '
                      f'expected {entry}')
  _check_rules(arrays, origin)
  return Saved(
      TemplateInput(*(arrays[key] for key in (
          'crop', 'first_center', 'first_size', 'fill'))),
      arrays['center'], arrays['size'], _memory(arrays),
      checked(Hyperparameters(*(float(arrays[key])
                                for key in _HYPERPARAMETERS))),
      Correction(arrays['box_shift'], arrays['box_ratio']),
      float(arrays['score']), bool(arrays['updated']))


def _read(state: Mapping[str, Any], key: str) -> np.ndarray:
  """An entry, which may still be in a file."""
  if key not in state:
    raise UserError(f'state: {key} is missing; expected all that state() '
                    'returned')
  try:
    return np.array(state[key])  # a copy
  except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
    # A damaged file; pickled objects, which are not loaded.
    raise UserError(f'state: {key} cannot be read ({first_line(error)}); '
                    'expected what np.savez wrote: save it again') from error


def _short(value: np.ndarray) -> str:
  text = np.array2string(value, threshold=4, separator=',')
  return f'{value.dtype} {list(value.shape)}, {" ".join(text.split())[:60]}'


def _check_rules(arrays: Mapping[str, np.ndarray], origin: Origin) -> None:
  """Refuses what would give other boxes than before."""
  long_term = bool(arrays['long_term'])
  if long_term != (origin.judge.rule is not None):
    raise UserError(f'state: long_term is {long_term}, not that of this '
                    f'tracker; expected one loaded with long_term={long_term}')
  for key in _RULE:
    if int(arrays[key]) != getattr(origin.config, key):
      raise UserError(f'state: {key} is {arrays[key]}, not '
                      f'{getattr(origin.config, key)}; expected a tracker '
                      f'loaded with {key}={arrays[key]}')


def _memory(arrays: Mapping[str, np.ndarray]) -> Memory:
  place = arrays['memory_place']
  numbers = {name: arrays[f'memory_{name}'].item() for name in (
      'lost', 'count', 'zoom', 'looks', 'round', 'turn')}
  return Memory(arrays['memory_center'], arrays['memory_size'],
                place=place if len(place) else None, **numbers)
