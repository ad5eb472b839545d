"""What runs the network of a tracker."""

import importlib.metadata
import importlib.util
import os
import sys

from siamkpn_jax.config.network import ModelConfig
from siamkpn_jax.core.errors import UserError

ENGINES = ('auto', 'jax', 'onnxruntime')
_WIDE = 64  # a ResNet's first layer


def choose_engine(engine: str, *, every_stage: bool = False) -> str:
  """'jax' or 'onnxruntime'; arguments and errors as of `load_tracker`."""
  if engine not in ENGINES:
    raise UserError(f'engine {engine!r}; expected one of {", ".join(ENGINES)}')
  missing = [name for name in ('onnx', 'onnxruntime')
             if not importlib.util.find_spec(name)]
  if engine == 'auto':
    usable = not missing and not every_stage and _only_a_cpu()
    return 'onnxruntime' if usable else 'jax'
  if engine == 'onnxruntime' and missing:
    raise UserError(f"engine 'onnxruntime': {' and '.join(missing)} missing; "
                    "install it: pip install 'siamkpn_jax[export]'")
  if engine == 'onnxruntime' and every_stage:
    raise UserError("engine 'onnxruntime': has the last stage alone; expected "
                    "every_stage=False, or engine='jax'")
  return engine


def faster_in_jax(model: ModelConfig) -> bool:
  """Whether a CPU runs a network faster in JAX than in ONNX Runtime.

  As measured (docs/performance.md): a wide ResNet, most of whose time goes to
  convolutions that JAX computes by Winograd's method.
  """
  return wide(model) and model.dtype == 'float32'


def wide(model: ModelConfig) -> bool:
  """Whether it is a ResNet of the full width, with weights of 200 MB."""
  return model.arch.startswith('resnet') and model.width >= _WIDE


def _only_a_cpu() -> bool:
  """Whether JAX computes on a CPU; imports it only where there is a choice."""
  if 'jax' not in sys.modules:
    platforms = os.environ.get('JAX_PLATFORMS')
    if platforms == 'cpu' or not (platforms or _has_plugins()):
      return True
  import jax
  return jax.default_backend() == 'cpu'


def _has_plugins() -> bool:
  """Whether anything is installed by which JAX finds other devices."""
  return (bool(os.environ.get('PJRT_NAMES_AND_LIBRARY_PATHS')) or
          bool(os.environ.get('TPU_LIBRARY_PATH')) or
          any(map(importlib.util.find_spec, ('jax_plugins', 'libtpu'))) or
          bool(importlib.metadata.entry_points(group='jax_plugins')))
