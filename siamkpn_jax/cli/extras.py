"""Optional packages: which extra of this package brings each."""

_EXTRAS = {
    'fsspec': 'train', 'matplotlib': 'eval', 'ml_collections': 'train',
    'optax': 'train', 'orbax': 'train', 'tensorboardX': 'train',
    'etils': 'tf', 'tensorflow': 'tf', 'tensorflow_datasets': 'tf',
    'apache_beam': 'beam', 'onnx': 'export', 'onnxruntime': 'export',
    'optuna': 'tune', 'torch': 'torch', 'trax': 'vot'}


def install_hint(error: ModuleNotFoundError) -> str | None:
  """What to install, in one line; None if the package is not optional."""
  package = (error.name or '').partition('.')[0]
  if package not in _EXTRAS:
    return None
  return (f'this command needs the package {package}, which is not installed: '
          f"pip install 'siamkpn_jax[{_EXTRAS[package]}]'")
