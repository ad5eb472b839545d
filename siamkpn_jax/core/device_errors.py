"""What is wrong where nothing can be computed: no device, too little memory."""

import os
import sys

from siamkpn_jax.core.errors import first_line


def device_trouble(error: Exception) -> str:
  """One line for the user on an error of JAX.

  Args:
    error: any.

  Returns:
    '' if the devices are not its reason.
  """
  if isinstance(error, MemoryError):
    return (f'out of memory ({first_line(error)}); expected enough for it: end '
            'other programs that use it, or take less at once')
  jax = sys.modules.get('jax')
  if jax is None:
    return ''
  if isinstance(error, RuntimeError) and 'RESOURCE_EXHAUSTED' in str(error):
    return (f'out of device memory ({first_line(error)}); expected a device '
            'with enough for it: end other programs that use it, or take '
            'smaller batches or fewer slots')
  platforms = os.environ.get('JAX_PLATFORMS', '')
  try:
    jax.devices()
  except Exception as reason:  # an AssertionError without a word, too
    if not _came_of(error, reason):
      return ''
    said = f' ({first_line(reason)})' if str(reason) else ''
    named = f'JAX_PLATFORMS={platforms}: ' if platforms else ''
    return (f'{named}JAX cannot use such a device here{said}; expected one '
            'that is there and whose plugin is installed: unset JAX_PLATFORMS, '
            'or set it to cpu')
  return ''


def _came_of(error: BaseException | None, reason: Exception) -> bool:
  """Whether an error is one like `reason`, or was raised from it."""
  seen: set[int] = set()
  while error is not None and id(error) not in seen:
    seen.add(id(error))
    if type(error) is type(reason) and str(error) == str(reason):
      return True
    error = error.__cause__ or error.__context__
  return False
