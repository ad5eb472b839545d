"""Under what circumstances something was measured."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2

from siamkpn_jax.core import provenance
from siamkpn_jax.core.atomic_io import write_file

_PACKAGES = ('jax', 'flax', 'numpy', 'onnxruntime')


def load() -> float | None:
  """How many processes wanted the cores, mean of the last minute."""
  return os.getloadavg()[0] if hasattr(os, 'getloadavg') else None


def describe(threads: int, loads: Sequence[float | None]) -> dict[str, Any]:
  """Machine and versions, ready for JSON.

  Args:
    threads: see `turns.use_threads`.
    loads: before and after; see `load`.
  """
  versions = {'python': platform.python_version(), 'opencv': cv2.__version__}
  for name in _PACKAGES:
    try:
      versions[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
      continue
  return {
      'hardware': provenance.hardware(), 'threads': threads,
      'load_before_and_after': list(loads), 'versions': versions,
      'git_revision': provenance.git_revision()}


def write(path: Path, result: Mapping[str, Any]) -> None:
  """Writes figures as JSON, whole or not at all.

  Raises:
    UserError: it cannot be written.
  """
  write_file(path, json.dumps(result, indent=2) + '\n')


def line(described: Mapping[str, Any]) -> str:
  """`describe` in words, for below a table."""
  loads = ' and '.join('unknown' if load is None else f'{load:.1f}'
                       for load in described['load_before_and_after'])
  versions = ', '.join(f'{k} {v}' for k, v in described['versions'].items())
  return (f'{described["hardware"]}, {described["threads"]} threads, load '
          f'before and after {loads}; {versions}')
