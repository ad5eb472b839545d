"""The weights that come with the package, and what a user means by a name."""

from pathlib import Path

from siamkpn_jax.core.errors import UserError

FOLDER = Path(__file__).parents[1] / 'weights'
SUFFIX = '.safetensors'
DEFAULT = 'kpn3s_nano'


def packaged_weights() -> dict[str, Path]:
  """The models that come with the package, as {name: file}.

  Examples:
    >>> import siamkpn_jax
    >>> list(siamkpn_jax.packaged_weights())
    ['kpn3s_nano']
  """
  return {path.stem: path for path in sorted(FOLDER.glob(f'*{SUFFIX}'))}


def find_weights(weights: str | Path | None) -> Path:
  """Where the weights are that a user means: None is the default model.

  Returns:
    The file of a packaged model of that name, or the path as it is, which need
    not exist.

  Raises:
    UserError: the package has no default weights, the text is empty, or the
      name is that of a packaged model and of something in this folder.
  """
  if weights is None:
    return _default()
  if not str(weights):
    raise UserError('weights: empty; expected a checkpoint, a '
                    f'{SUFFIX} file or the name of a packaged model')
  path = Path(weights)
  file = packaged_weights().get(str(path))
  if file is None:
    return path
  if path.exists():  # a run that the user has called so, perhaps
    raise UserError(f'{path}: ambiguous, both a packaged model and a file '
                    'here; expected a full path: use '
                    f'{path.absolute()} or {file}')
  return file


def _default() -> Path:
  path = packaged_weights().get(DEFAULT)
  if path is None:
    raise UserError(f'{FOLDER / (DEFAULT + SUFFIX)}: default weights missing '
                    'from this installation: install a version that includes '
                    'them, or pass your own (--weights, or the argument of '
                    'load_tracker)')
  return path
