"""What runs the network of a tracker."""

import functools
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path

from siamkpn_jax.config.network import ModelConfig
from siamkpn_jax.core.cpuinfo import CPUINFO, processor_field
from siamkpn_jax.core.errors import UserError

ENGINES = ('auto', 'jax', 'onnxruntime')
PRECISIONS = ('float32', 'int8')
_WIDE = 64  # a ResNet's first layer


def choose_engine(engine: str, *, every_stage: bool = False,
                  precision: str = 'float32', flags: bool = False) -> str:
  """What runs the network; errors as of `load_tracker`.

  Args:
    engine: as for `load_tracker`.
    every_stage: as for `load_tracker`.
    precision: as for `load_tracker`.
    flags: they were given as flags of a command: mistakes are named so.

  Returns:
    'jax' or 'onnxruntime'.
  """
  if engine not in ENGINES:
    raise UserError(f'engine {engine!r}; expected one of {", ".join(ENGINES)}')
  if precision not in PRECISIONS:
    raise UserError(f'precision {precision!r}; expected one of '
                    f'{", ".join(PRECISIONS)}')
  named = '--{} {}' if flags else '{}={!r}'
  cause = named.format('engine', engine)
  if precision == 'int8':
    cause, chosen = named.format('precision', precision), cause
    if engine == 'jax':
      raise UserError(f'{cause}: {chosen} has float32 alone; expected '
                      f'{named.format("engine", "onnxruntime")}')
    engine = 'onnxruntime'  # so it is never left out without a word
  missing = [name for name in ('onnx', 'onnxruntime')
             if not importlib.util.find_spec(name)]
  if engine == 'auto':
    usable = not missing and not every_stage and _only_a_cpu()
    return 'onnxruntime' if usable else 'jax'
  if engine == 'onnxruntime' and missing:
    raise UserError(f"{cause}: {' and '.join(missing)} missing; install it: "
                    "pip install 'siamkpn_jax[export]'")
  if engine == 'onnxruntime' and every_stage:
    other = named.format(*(('engine', 'jax') if precision == PRECISIONS[0] else
                           ('precision', PRECISIONS[0])))
    raise UserError(
        f'{cause}: has the last stage alone; expected {other}, or '
        f'{"no --heatmaps" if flags else "every_stage=False"}')
  return engine


def engine_of_evaluation(precision: str) -> str:
  """What runs an evaluation that names none: JAX, unless it has not got it."""
  return 'jax' if precision == PRECISIONS[0] else 'onnxruntime'


def check_precision(model: ModelConfig, precision: str) -> None:
  """Refuses a precision that is not known to hold for a network.

  Args:
    model: the network.
    precision: one of `PRECISIONS`.

  Raises:
    UserError: int8 and another backbone than an EfficientNet.
  """
  if precision == 'int8' and not model.arch.startswith('efficientnet'):
    raise UserError(f"precision 'int8': has been tried with EfficientNets "
                    f'alone, and these weights are of a {model.arch}; expected '
                    "the precision 'float32'")


@functools.cache
def has_vnni(cpuinfo: Path = CPUINFO) -> bool | None:
  """Whether the processor multiplies bytes fast; None if that is not known.

  Args:
    cpuinfo: Linux's file; other systems, and other processors than x86, have
      none with such flags.
  """
  flags = processor_field('flags', path=cpuinfo)
  if flags is None:
    return None
  return not {'avx512_vnni', 'avx_vnni'}.isdisjoint(flags.split())


def precision_note(precision: str) -> str | None:
  """What to say of a precision on this processor, if anything."""
  if precision == 'int8' and has_vnni() is False:
    return ('int8: this processor has neither AVX512-VNNI nor AVX-VNNI; '
            'float32 may be faster')
  return None


def wide(model: ModelConfig) -> bool:
  """Whether it is a ResNet of the full width, with weights of 200 MB.

  A CPU runs such a one faster in JAX than in ONNX Runtime (docs/performance.md)
  as most of its time goes to convolutions that JAX computes by Winograd's
  method.
  """
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
