"""The number of parameters of every shipped configuration."""

import math
from pathlib import Path

import jax
import pytest

from siamkpn_jax.config.files import load_config
from siamkpn_jax.models.siamkpn import abstract_variables, build_model

CONFIGS = Path(__file__).parents[2] / 'configs'
COUNTS = {
    'kpn1s': 57_671_512,
    'kpn2s': 74_208_871,
    'kpn3s': 90_746_230,
    'demo': 232_938,
    'kpn3s_nano': 871_524,
}



def count(tree):
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def test_every_config_has_a_row():
  """A new file in configs/ needs its number here."""
  assert {p.stem for p in CONFIGS.glob('*.py')} == set(COUNTS)


@pytest.mark.parametrize('name', COUNTS)
def test_number_of_parameters(name):
  """Trainable parameters, without running means and variances."""
  model = build_model(load_config(name).model)
  variables = abstract_variables(model)
  assert count(variables['params']) == COUNTS[name]


def convolution(size, inputs, outputs):
  """A convolution without bias, and the two vectors of its normalization."""
  return size**2 * inputs * outputs + 2 * outputs


def spec_count(num_stages):
  """The parameters of the paper's model, from SPEC 2-4 alone."""
  total, inputs = convolution(7, 3, 64), 64
  for k, blocks in enumerate((3, 4, 6, 3)):
    inner = 64 * 2**k
    total += convolution(1 if k == 0 else 3, inputs, 4 * inner)  # shortcut
    for _ in range(blocks):
      total += (convolution(1, inputs, inner) + convolution(3, inner, inner) +
                convolution(1, inner, 4 * inner))
      inputs = 4 * inner
  total += sum(convolution(1, c, 256) for c in (512, 1024, 2048))  # neck
  for outputs in (1, 2, 2):  # heatmap, offsets, size
    # kernel and search convolution, from the second stage on the template's
    convolutions = 2 * num_stages + (num_stages - 1)
    stack = (convolutions * convolution(3, 256, 256) +
             num_stages * (convolution(1, 256, 256) + 256 * outputs + outputs))
    total += 3 * stack + 3  # three levels, and their weights
  return total


@pytest.mark.parametrize('num_stages', [1, 2, 3])
def test_counts_follow_from_the_spec(num_stages):
  """The literal numbers above are not just what the code gives."""
  assert COUNTS[f'kpn{num_stages}s'] == spec_count(num_stages)
