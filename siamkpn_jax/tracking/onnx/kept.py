"""Networks for ONNX Runtime, exported once and then kept.

What is kept needs no JAX: a second run tracks without importing it.
"""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamkpn_jax.checkpoints.content import content_digest
from siamkpn_jax.config.settings import Config, config_from_dict, to_plain
from siamkpn_jax.core.user_cache import entry_key, read_entry, write_entry
from siamkpn_jax.tracking.engines import check_precision
from siamkpn_jax.tracking.onnx.serialized import Serialized, serialize

if TYPE_CHECKING:
  from siamkpn_jax.models.siamkpn import SiamKPN

_PART = 'onnx'  # of the cache
# What an exported network depends on, besides the weights and their settings.
_MADE_BY = {'sources': ('config', 'core', 'models', 'tracking/onnx'),
            'libraries': ('flax', 'jax', 'onnx')}


def read_kept(digest: str | None, precision: str = 'float32',
              search_size: int | None = None
              ) -> tuple[Config, Serialized] | None:
  """What the user's cache holds of weights, by their `content_digest`.

  Args:
    digest: None if it is not known.
    precision: one of `engines.PRECISIONS`.
    search_size: None for that of the weights.

  Returns:
    The configuration of the weights, and the network for such crops.
  """
  if digest is None:
    return None
  for size in dict.fromkeys((search_size, None)):
    content = read_entry(_PART, _key(digest, precision, size))
    if content:
      config = config_from_dict(json.loads(content.pop('config')))
      if search_size in (size, config.tracking.search_size):
        return config, Serialized(**content)
  return None


def export_and_keep(path: Path, digest: str | None, config: Config,
                    model: 'SiamKPN', variables: Any,
                    precision: str = 'float32',
                    search_size: int | None = None) -> Serialized:
  """Exports the network of loaded weights, and keeps it for `read_kept`.

  Args:
    path: of the weights.
    digest: of their content before they were loaded, if it is known.
    config: of the network.
    model: the network.
    variables: the weights.
    precision: one of `engines.PRECISIONS`.
    search_size: as for `read_kept`.

  Raises:
    NotImplementedError: as `network.export`.
    UserError: a network that int8 is not known to suit.
  """
  from siamkpn_jax.checkpoints.weights import find_checkpoint

  if search_size == config.tracking.search_size:
    search_size = None
  serialized = in_precision(config, model, variables, precision, search_size)
  # Kept only if it is what was loaded: not replaced meanwhile, and Orbax has
  # not refused what the digest is of.
  if digest and content_digest(find_checkpoint(path)) == digest:
    write_entry(_PART, _key(digest, precision, search_size), {
        'config': json.dumps(to_plain(config)).encode(),
        **dataclasses.asdict(serialized)})
  return serialized


def in_precision(config: Config, model: 'SiamKPN', variables: Any,
                 precision: str, search_size: int | None = None) -> Serialized:
  """Exports a network, for float32 or int8; see `export_and_keep`."""
  check_precision(config.model, precision)
  network = serialize(model, variables,
                      search_size or config.tracking.search_size)
  if precision == 'int8':
    from siamkpn_jax.tracking.onnx.quantize import quantize
    network = quantize(network)
  return network


def _key(digest: str, precision: str, search_size: int | None) -> str:
  of = digest if search_size is None else f'{digest} {search_size}'
  if precision == 'float32':
    return entry_key(of, **_MADE_BY)
  import onnxruntime  # which quantizes
  return entry_key(
      f'{of} {precision} {onnxruntime.__version__}',
      sources=(*_MADE_BY['sources'], 'datasets/synthetic', 'tracking'),
      libraries=_MADE_BY['libraries'])
