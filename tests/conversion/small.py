"""A released state dict small enough to convert in a test."""

import functools

import jax
import numpy as np

from siamkpn_jax.conversion.files import read_wrapped_state
from siamkpn_jax.conversion.names import counter_keys, name_table
from siamkpn_jax.models.siamkpn import SiamKPN
from tests.reference.weights import random_state

SETTINGS = {'arch': 'resnet18', 'width': 4, 'channels': 8, 'num_stages': 2}


@functools.cache
def table():
  return name_table(SiamKPN(**SETTINGS))


def read_state(path):
  """The arrays of a file, without notes."""
  return read_wrapped_state(path)[0]


def state(seed=0):
  """{released name: array}, with PyTorch's batch counters."""
  arrays = random_state({e.key: e.shape for e in table()}, seed, {})
  return arrays | {key: np.asarray(7) for key in counter_keys(table())}


def assert_same(a, b):
  assert set(a) == set(b)
  for name, value in a.items():
    np.testing.assert_array_equal(value, b[name], err_msg=name)


def assert_same_tree(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)
