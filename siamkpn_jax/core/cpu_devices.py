"""The processor cores that this process may use."""

import contextlib
import os
from collections.abc import Callable, Iterable
from concurrent import futures
from typing import Any

_MOST = 8  # devices; more, and each has too little to do


def cores() -> int:
  """How many there are."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def mapper(count: int) -> Callable[..., Iterable[Any]]:
  """`map`, by a thread per core if there is more than one thing to do."""
  return (futures.ThreadPoolExecutor(min(count, cores()), 'targets').map
          if count > 1 else map)


def one_device_per_core() -> None:
  """Makes JAX take each core for a device of its own, where there is no other.

  A batch that is divided over the cores is computed faster than one that all
  of them share. It must be called before the first computation; it does
  nothing after that, or where the number of CPU devices is set already.
  """
  import jax
  if (jax.config.values['jax_num_cpu_devices'] > 0 or
      'host_platform_device_count' in os.environ.get('XLA_FLAGS', '')):
    return
  with contextlib.suppress(RuntimeError):  # JAX has started
    jax.config.update('jax_num_cpu_devices', min(cores(), _MOST))
