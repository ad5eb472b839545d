"""What is wrong where JAX cannot compute: no such device, or a full one."""

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
    said = f' ({first_line(reason)})' if str(reason) else ''
    named = f'JAX_PLATFORMS={platforms}: ' if platforms else ''
    return (f'{named}JAX cannot use such a device here{said}; expected one '
            'that is there and whose plugin is installed: unset JAX_PLATFORMS, '
            'or set it to cpu')
  return ''
