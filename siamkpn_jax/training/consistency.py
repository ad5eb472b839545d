"""Checks that all processes of a run were started alike."""

from collections.abc import Sequence

import jax

from siamkpn_jax.config.settings import Config, config_differences
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.source import Source
from siamkpn_jax.distributed.multihost import check_same

# Where the data lie and how they are read may differ.
_LOCAL = ('data.root', 'data.loader', 'data.workers', 'data.prefetch',
          'data.cache_mb', 'validation.data')


def check_hosts_agree(config: Config, sources: Sequence[Source]) -> None:
  """Checks that all processes have the same settings and the same data.

  Raises:
    UserError: as `check_same`.
  """
  if jax.process_count() > 1:
    check_same(catalog.fingerprint(sources) + [
        f'config.validation.data given: {bool(config.validation.data)}'] + [
        f'config.{key}: {value}' for key, value in
        config_differences(config).items() if key not in _LOCAL])
