"""Weights on disk: the part of a checkpoint that tracking needs.

A checkpoint is an Orbax folder whose item 'model' holds params and batch_stats,
and whose metadata holds the whole configuration, so it can be used without any
other file. Training adds its own items (checkpoints/manager.py); a converted
one has none, and may hold the backbone alone. A file of weights
(weights_file.py) loads in the same way, and without the import of Orbax.

What an engine has kept of weights is found by their files (content.py).
"""

from pathlib import Path
from typing import Any

import jax

from siamkpn_jax.checkpoints import checksums, weights_file
from siamkpn_jax.checkpoints.content import FOLDER, METADATA, MODEL, steps
from siamkpn_jax.checkpoints.failures import loading, quiet, unreadable
from siamkpn_jax.checkpoints.packaged import find_weights, packaged_weights
from siamkpn_jax.checkpoints.weights_file import is_weights_file
from siamkpn_jax.config.architectures import LAYERS
from siamkpn_jax.config.settings import Config, to_plain
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.stored_json import parse_json, read_bounded
from siamkpn_jax.models.siamkpn import SiamKPN, abstract_variables, build_model

_EXPECTED = ('expected the folder of a training or conversion, or a file '
             'of python -m siamkpn_jax.export')
# What Orbax adds to our metadata, and would fail on.
_OF_ORBAX = {'item_handlers': dict, 'metrics': dict,
             'performance_metrics': dict, 'init_timestamp_nsecs': int,
             'commit_timestamp_nsecs': int}


class DamagedError(UserError):
  """A checkpoint whose files are not as they were written."""


def find_checkpoint(path: Path) -> Path:
  """The checkpoint that a user means by a path.

  A checkpoint (a step's folder); of a workdir or its checkpoints folder the
  newest; a file of weights; or the name of a packaged model.

  Raises:
    UserError: there is none.
  """
  return find_checkpoints(path, 1)[0]


def find_checkpoints(path: Path, last: int) -> list[Path]:
  """The newest checkpoints of a run, the oldest of them first.

  What is a checkpoint or a file stands for itself; see `find_checkpoint`.

  Raises:
    UserError: there is none.
  """
  path = find_weights(path)
  if not path.exists():
    raise UserError(f'{path}: no such checkpoint; {_EXPECTED}{_others()}')
  if is_weights_file(path):
    return [path.absolute()]
  from orbax.checkpoint import v1 as ocp
  for folder in (path / FOLDER, path):
    found = [step.absolute() for step in steps(folder)
             if ocp.is_orbax_checkpoint(step)]
    if found:
      return found[-last:]
  if (path / FOLDER).is_dir():
    raise UserError(f'{path}: no checkpoint has been saved yet: wait for the '
                    'first, or choose another run')
  if path.is_dir() and ocp.is_orbax_checkpoint(path):
    return [path.absolute()]
  raise UserError(f'{path}: not a checkpoint; {_EXPECTED}: convert PyTorch '
                  'files with siamkpn_jax.convert')


def _others() -> str:
  names = ', '.join(packaged_weights())
  return f', a {weights_file.SUFFIX} file' + (
      f' or a packaged model: {names}' if names else '')


def read_config(path: Path) -> dict[str, Any]:
  """The configuration stored in a checkpoint, as it is stored.

  Raises:
    UserError: the checkpoint is not one of this program's, or damaged.
  """
  return _metadata(path)['config']


def load_model(path: Path, part: str = 'network'
               ) -> tuple[Config, dict[str, Any]]:
  """Configuration and variables of a checkpoint, for inference.

  Returns:
    The configuration, and {'params', 'batch_stats'} of the part: 'network', or
    'backbone' for that alone.

  Raises:
    UserError: no checkpoint, damaged, of a backbone alone, or not of the
      architecture that its configuration describes.
  """
  path = find_checkpoint(path)
  device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  if is_weights_file(path):
    config, variables = weights_file.load_weights_file(path)
    return config, jax.device_put(_part(variables, part), device)
  config = weights_file.stored_config(path, read_config(path))
  return config, load_variables(
      path, build_model(config.model), device, part=part)


def read_origin(path: Path) -> dict[str, str]:
  """What a checkpoint tells of its origin: 'git_revision', 'step', ...

  Raises:
    UserError: no checkpoint, or damaged.
  """
  path = find_checkpoint(path)
  metadata = _metadata(path)
  origin = weights_file.origin(metadata)
  if not is_weights_file(path) and origin.pop('part', None) is None:
    origin['step'] = path.name  # of training
  return origin


def load_variables(path: Path, model: SiamKPN,
                   placement: jax.sharding.Sharding, *,
                   part: str = 'network') -> dict[str, Any]:
  """The weights of a checkpoint, for a given network, in a placement.

  Of the part 'backbone' that is what the network needs.

  Returns:
    {'params', 'batch_stats'} of the part.

  Raises:
    UserError: no checkpoint, damaged, lacks the part, or of another
      architecture.
  """
  path = find_checkpoint(path)
  metadata = _metadata(path)
  if part == 'network' and metadata.get('part') == 'backbone':
    raise UserError(
        f'{path}: holds only a backbone; expected a whole network: to train '
        f'from this backbone, add --config.model.backbone_weights={path}')
  _check_architecture(path, metadata['config'], model, part)
  wanted = _part(abstract_variables(model), part)
  if is_weights_file(path):
    _, variables = weights_file.load_weights_file(path)
    found = _only(_part(variables, part), wanted)
    _check_shapes(path, found, wanted)
    return jax.device_put(found, placement)
  check_intact(path, metadata)
  from orbax.checkpoint import v1 as ocp
  with loading(path):
    stored = ocp.checkpointables_metadata(path).metadata[MODEL]
    if not isinstance(stored, dict) or not {*wanted} <= {*stored}:
      raise ValueError('no arrays of a network found in it')
    found = _only(_part(stored, part), wanted)
    if part == 'network':  # of a backbone, its last layers may not be needed
      found = stored
    _check_shapes(path, found, wanted)
    loaded = ocp.load_checkpointables(path, {MODEL: jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=placement),
        stored)})
    return _only(_part(loaded[MODEL], part), wanted)


def save_model(folder: Path, config: Config,
               variables: dict[str, Any], *, part: str = 'network') -> None:
  """Writes checkpoints/0 to a folder, without the items of training.

  The variables are those of the part, 'network' or 'backbone'.
  """
  from orbax.checkpoint import v1 as ocp
  path = (folder / FOLDER / '0').absolute()
  path.parent.mkdir(parents=True, exist_ok=True)
  metadata = {'config': to_plain(config), 'part': part}
  with quiet():
    ocp.save_checkpointables(
        path, {MODEL: variables}, custom_metadata=metadata)
  checksums.write(path, metadata)


def has_training_state(path: Path) -> bool:
  """Whether a run can be continued from a checkpoint."""
  return 'part' not in _metadata(path)


def _metadata(path: Path) -> dict[str, Any]:
  """What is stored with weights: 'config', with all its sections, and more.

  Raises:
    DamagedError: that is not as it was written.
    UserError: it cannot be read, or is not this checkpoint's.
  """
  if is_weights_file(path):
    return weights_file.read_metadata(path)
  checksums.check_inside(path, METADATA)
  try:
    # By hand: Orbax would start JAX, and the metadata of all arrays be read.
    data = read_bounded(path / METADATA)
    content = parse_json(data, METADATA, 'metadata', finite=False,
                         fields={'custom_metadata': dict})
    for name, kind in _OF_ORBAX.items():
      if not isinstance(content.get(name, kind()), kind):
        raise DamagedError(f'{name} is something else')
    metadata = content['custom_metadata']
    if not weights_file.is_config(metadata.get('config')) or (
        metadata.get('part', 'network') not in ('network', 'backbone')):
      raise DamagedError('no configuration in its metadata')
    damage = checksums.metadata_damage(path, metadata)
  except (ValueError, UserError, *checksums.MISSING) as error:
    raise DamagedError(f'{path}: holds no configuration; {_EXPECTED}'
                       ) from error
  except OSError as error:
    raise unreadable(path, error) from error
  if damage:
    raise DamagedError(_damaged(path, damage))
  return metadata


def check_intact(path: Path, metadata: dict[str, Any]) -> None:
  """Checks that the weights in a checkpoint are as they were written.

  Raises:
    DamagedError: they are not.
    UserError: they cannot be read.
  """
  if 'part' in metadata and not (path / checksums.NAME).exists():
    return  # a conversion of an earlier version
  try:
    damage = checksums.damage(path, MODEL)
  except OSError as error:
    raise unreadable(path, error) from error
  if damage:
    raise DamagedError(_damaged(path, damage))


def _damaged(path: Path, damage: str) -> str:
  return (f'{path}: damaged ({damage}); expected an intact checkpoint: choose '
          'another, or copy or convert it again')


def _part(tree: dict[str, Any], part: str) -> dict[str, Any]:
  """The part's leaves of {'params', 'batch_stats'}."""
  if part == 'network':
    return tree
  return {name: {part: subtree[part]} for name, subtree in tree.items()}


def _only(tree: Any, wanted: Any) -> Any:
  """The subtree of the names in `wanted`."""
  if not isinstance(wanted, dict):
    return tree
  return {key: _only(tree[key], wanted[key]) for key in wanted if key in tree}


def _check_architecture(path: Path, stored: dict[str, Any], model: SiamKPN,
                        part: str) -> None:
  """Settings that shapes do not show, or show in many lines."""
  names = ['arch', 'width']
  if part == 'network':
    names += ['levels', 'channels', 'num_stages', 'head_sharing', 'head_conv',
              'level_fusion']
  theirs = build_model(weights_file.stored_config(path, stored).model)
  differing = [
      f'config.model.{name} is {getattr(theirs, name)!r} there, '
      f'{getattr(model, name)!r} here' for name in names
      if getattr(theirs, name) != getattr(model, name)]
  if not differing and set(model.levels) - set(LAYERS[theirs.arch][
      :LAYERS[theirs.arch].index(theirs.levels[-1]) + 1]):
    differing = [f'its backbone ends with {theirs.levels[-1]}, the levels here '
                 f'are {", ".join(model.levels)}']
  if differing:
    raise UserError(f'{path}: checkpoint of another architecture: '
                    f'{"; ".join(differing)}; expected the same: choose '
                    'another checkpoint, or change the configuration')


def _check_shapes(path: Path, stored: Any, wanted: Any) -> None:
  shapes = lambda tree: {jax.tree_util.keystr(p): tuple(x.shape) for p, x in
                         jax.tree_util.tree_leaves_with_path(tree)}
  found, expected = shapes(stored), shapes(wanted)
  weights_file.check_shapes(path, found, expected)
