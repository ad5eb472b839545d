"""What runs the network of a tracker of one target."""

import importlib.util

from siamkpn_jax.core.errors import UserError

ENGINES = ('auto', 'jax', 'onnxruntime')


def choose_engine(engine: str, *, every_stage: bool = False) -> str:
  """'jax' or 'onnxruntime'; arguments and errors as of `load_tracker`."""
  import jax  # slow: the command line needs the names alone
  if engine not in ENGINES:
    raise UserError(f'engine {engine!r}; expected one of {", ".join(ENGINES)}')
  missing = [name for name in ('onnx', 'onnxruntime')
             if not importlib.util.find_spec(name)]
  if engine == 'auto':
    usable = (not missing and not every_stage and
              jax.default_backend() == 'cpu')
    return 'onnxruntime' if usable else 'jax'
  if engine == 'onnxruntime' and missing:
    raise UserError(f"engine 'onnxruntime': {' and '.join(missing)} missing; "
                    "install it: pip install 'siamkpn_jax[export]'")
  if engine == 'onnxruntime' and every_stage:
    raise UserError("engine 'onnxruntime': has the last stage alone; expected "
                    "every_stage=False, or engine='jax'")
  return engine
