"""Packages that some tests compare with."""

import importlib
import os

import pytest


def import_or_skip(name, reason):
  """The module; where it is missing, skips.

  With SIAMKPN_TEST_ALL set, a missing module is an error: where everything is
  meant to be installed, no comparison may vanish unseen.
  """
  if os.environ.get('SIAMKPN_TEST_ALL'):
    return importlib.import_module(name)
  return pytest.importorskip(name, reason=reason)


def needs_onnx():
  """What siamkpn_jax/tracking/onnx imports."""
  for name in ('onnx', 'onnxruntime'):
    import_or_skip(name, 'siamkpn_jax/tracking/onnx needs it')
