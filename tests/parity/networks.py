"""The networks that are compared, with the same weights on both sides."""

import functools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from siamkpn_jax.conversion.names import name_table, torch_key
from siamkpn_jax.conversion.variables import to_variables
from siamkpn_jax.models.siamkpn import SiamKPN
from tests.reference.weights import random_state

GOLDENS = Path(__file__).parents[1] / 'goldens'
SETTINGS = {
    'small': {'arch': 'resnet50', 'width': 16, 'channels': 32},
    'basic': {'arch': 'resnet18', 'width': 16, 'channels': 32},
    'full': {'arch': 'resnet50', 'width': 64, 'channels': 256},
}
SEED = 20

# Network and length of the cascade; three stages contain the others.
CASES = [
    pytest.param('small', 1, marks=pytest.mark.slow),
    pytest.param('small', 2, marks=pytest.mark.slow), ('small', 3),
    ('basic', 2), pytest.param('full', 3, marks=pytest.mark.slow)]


@functools.cache
def scales(name):
  return json.loads((GOLDENS / 'scales.json').read_text())[name]


def golden(name):
  """Of 'file/prefix': the arrays under the prefix, by the rest of the key."""
  file, _, prefix = name.partition('/')
  with np.load(GOLDENS / f'{file}.npz') as arrays:
    found = {key.removeprefix(f'{prefix}/'): arrays[key] for key in arrays
             if key.startswith(f'{prefix}/')}
  assert found, f'no goldens under {name}'
  return found


def jax_network(name, num_stages):
  """Model and variables, converted from the random released state dict."""
  model = SiamKPN(num_stages=num_stages, **SETTINGS[name])
  entries = name_table(model)
  state = random_state({e.key: e.shape for e in entries}, SEED, scales(name))
  return model, to_variables(state, entries)[0]


def torch_network(name, num_stages):
  """The reference with the same weights, in inference mode."""
  from tests.reference import torch_network as reference
  from tests.reference.torch_weights import load, shapes_of
  model = reference.SiamKPN(num_stages, **SETTINGS[name])
  load(model, random_state(shapes_of(model), SEED, scales(name)))
  return model.eval()


def module_name(path, levels):
  """'head/layer2_heatmap_stage1/response' -> 'kpn_head.kpn0.heatmap.xcorr1'."""
  *modules, last = path.split('/')
  if last == 'response':
    key = torch_key((*modules, 'search_conv', 'conv', 'kernel'), levels)
    return re.sub(r'x_conv(\d)\.conv\.weight', r'xcorr\1', key)
  if re.fullmatch(r'layer\d_\d+', last):
    return f'backbone.{last.replace("_", ".")}'
  leaf = ('kernel',) if last == 'predict_out' else ('bn', 'scale')
  return torch_key((*modules, last, *leaf), levels).removesuffix('.weight')


def nchw(array):
  """[b, h, w, c] -> [b, c, h, w]."""
  return np.asarray(array).transpose(0, 3, 1, 2)
