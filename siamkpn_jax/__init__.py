"""SiamKPN in JAX: track any object, train the paper's models, evaluate."""

import importlib
import sys
import types
from typing import TYPE_CHECKING

__version__ = '0.1.0'

if TYPE_CHECKING:
  from siamkpn_jax.api import (
    convert,
    evaluate,
    export,
    score,
    track_video,
    train,
  )
  from siamkpn_jax.checkpoints.packaged import packaged_weights
  from siamkpn_jax.config.settings import Config
  from siamkpn_jax.core.compilation_cache import use_compilation_cache
  from siamkpn_jax.core.errors import UserError
  from siamkpn_jax.evaluation.formats.sequences import load_benchmark
  from siamkpn_jax.models.siamkpn import SiamKPN
  from siamkpn_jax.tracking.batch_tracker import BatchTracker
  from siamkpn_jax.tracking.detections import (
    boxes_from_supervision,
    to_supervision,
  )
  from siamkpn_jax.tracking.load import load_batch_tracker, load_tracker
  from siamkpn_jax.tracking.targets import TrackResult
  from siamkpn_jax.tracking.tracker import Tracker

# Name -> where it is, imported when it is first used: a command's --help does
# not wait for JAX.
_PLACES = {
    'BatchTracker': 'tracking.batch_tracker',
    'Config': 'config.settings',
    'SiamKPN': 'models.siamkpn',
    'TrackResult': 'tracking.targets',
    'Tracker': 'tracking.tracker',
    'UserError': 'core.errors',
    'boxes_from_supervision': 'tracking.detections',
    'convert': 'api',
    'evaluate': 'api',
    'export': 'api',
    'load_batch_tracker': 'tracking.load',
    'load_benchmark': 'evaluation.formats.sequences',
    'load_tracker': 'tracking.load',
    'packaged_weights': 'checkpoints.packaged',
    'score': 'api',
    'to_supervision': 'tracking.detections',
    'track_video': 'api',
    'train': 'api',
    'use_compilation_cache': 'core.compilation_cache',
}

__all__ = [
    'BatchTracker',
    'Config',
    'SiamKPN',
    'TrackResult',
    'Tracker',
    'UserError',
    'boxes_from_supervision',
    'convert',
    'evaluate',
    'export',
    'load_batch_tracker',
    'load_benchmark',
    'load_tracker',
    'packaged_weights',
    'score',
    'to_supervision',
    'track_video',
    'train',
    'use_compilation_cache',
]


class _Package(types.ModuleType):
  """The package, whose `train` is the function of the public API, always.

  The module of `python -m siamkpn_jax.train` has that name as well. Python
  makes an imported submodule an attribute of its package; for such a name it
  must not.
  """

  def __setattr__(self, name: str, value: object) -> None:
    if not (name in _PLACES and isinstance(value, types.ModuleType)):
      super().__setattr__(name, value)

  if not TYPE_CHECKING:
    # Not for type checkers, to which every name is known above.
    def __getattr__(self, name):
      if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
      module = importlib.import_module(f'{__name__}.{_PLACES[name]}')
      value = getattr(module, name)
      setattr(self, name, value)
      return value

  def __dir__(self) -> list[str]:
    return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
