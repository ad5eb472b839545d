"""`jax.jit` with the compiler options with which a CPU tracks faster.

`python -m perf.inference` measures what they bring (docs/performance.md). They
are for inference: a training step takes 1.7 times as long with them.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax

_CPU_OPTIONS = {
    # Products by Eigen alone: YNN's are no faster, and keep the second thread
    # waiting.
    'xla_cpu_experimental_ynn_fusion_type': '',
    # XLA's default is half of what AVX-512 has; less where there is less.
    'xla_cpu_prefer_vector_width': 512,
}


class Jitted:
  """`jax.jit(function, ...)` with the options of the device in use.

  JAX is asked for its devices at the first use, not when a module is imported.
  Within another transformation it is the function itself: options are for a
  whole program.
  """

  def __init__(self, function: Callable[..., Any], **arguments: Any) -> None:
    """Arguments: those of `jax.jit`."""
    functools.update_wrapper(self, function)
    self._function, self._arguments = function, arguments

  @functools.cached_property
  def jitted(self) -> Any:
    """What `jax.jit` returns."""
    return jax.jit(self._function, compiler_options=_options(),
                   **self._arguments)

  def __call__(self, *args: Any, **kwargs: Any) -> Any:
    """As of the function."""
    if any(isinstance(leaf, jax.core.Tracer)
           for leaf in jax.tree.leaves((args, kwargs))):
      return self._function(*args, **kwargs)
    return self.jitted(*args, **kwargs)

  def lower(self, *args: Any, **kwargs: Any) -> Any:
    """As of what `jax.jit` returns."""
    return self.jitted.lower(*args, **kwargs)


@functools.cache
def _options() -> dict[str, Any] | None:
  """The options that this version of XLA knows; None without a CPU's."""
  if jax.default_backend() != 'cpu':
    return None
  return {name: value for name, value in _CPU_OPTIONS.items()
          if _known(name, value)}


def _known(name: str, value: Any) -> bool:
  try:
    jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
  except jax.errors.JaxRuntimeError as error:
    if 'No such compile option' not in str(error):
      raise
    return False
  return True
