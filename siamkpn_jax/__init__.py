"""SiamKPN in JAX: track any object, train the paper's models, evaluate."""

from typing import Any

__version__ = '0.1.0'
__all__ = ['SiamKPN', 'Tracker', 'load_tracker', 'packaged_weights']

_PLACES = {
    'SiamKPN': 'siamkpn_jax.models.siamkpn',
    'Tracker': 'siamkpn_jax.tracking.tracker',
    'load_tracker': 'siamkpn_jax.tracking.tracker',
    'packaged_weights': 'siamkpn_jax.checkpoints.packaged',
}


def __getattr__(name: str) -> Any:
  """The public API, imported when it is first used.

  So that `python -m siamkpn_jax.train --help` does not wait for JAX.
  """
  if name not in _PLACES:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  import importlib
  return getattr(importlib.import_module(_PLACES[name]), name)
