"""Optional packages: the extra of this package that brings what is missing."""

import importlib.util

from siamkpn_jax.core.errors import UserError

# What each extra of setup.cfg installs that a command imports.
PACKAGES = {
    'train': ('fsspec', 'matplotlib', 'ml_collections', 'optax', 'orbax',
              'tensorboardX'),
    'eval': ('matplotlib', 'ml_collections', 'orbax'),
    'tune': ('optuna', 'matplotlib', 'ml_collections', 'orbax'),
    'tf': ('etils', 'fsspec', 'tensorflow', 'tensorflow_datasets'),
    'beam': ('apache_beam',),
    'export': ('onnx', 'onnxruntime'),
    'torch': ('torch',),
    'video': ('av',),
    'vot': ('trax',),
    'demo': ('starlette', 'uvicorn', 'websockets')}
# Command -> the extra with everything that it always needs.
_OWN = {'ablate': 'train', 'demo': 'demo', 'inspect': 'train', 'pack': 'tf',
        'report': 'train', 'shrink': 'train', 'train': 'train',
        'train_demo': 'train', 'tune': 'tune'}


def require(command: str, *packages: str) -> None:
  """Checks, before the work, that packages are installed.

  Args:
    command: its module.
    *packages: that it is going to import; none: those of its extra.

  Raises:
    UserError: some are not; names all, and the one thing to install.
  """
  wanted = packages or PACKAGES[_OWN[command]]
  missing = [name for name in wanted if not importlib.util.find_spec(name)]
  if missing:
    raise UserError(_hint(command, missing))


def install_hint(error: ModuleNotFoundError, command: str) -> str | None:
  """What to install, in one line; None if the package is not optional."""
  package = (error.name or '').partition('.')[0]
  if not any(package in packages for packages in PACKAGES.values()):
    return None
  return _hint(command, [package])


def _hint(command: str, missing: list[str]) -> str:
  extras: list[str] = []
  for package in missing:
    with_it = [extra for extra, names in PACKAGES.items() if package in names]
    own = _OWN.get(command, 'eval')
    extra = own if own in with_it else with_it[0]
    if extra not in extras:
      extras.append(extra)
  several = len(missing) > 1
  return (f'this command needs the package{"s" * several} '
          f'{", ".join(missing)}, which {"are" if several else "is"} not '
          f"installed: pip install 'siamkpn_jax[{','.join(extras)}]'")
