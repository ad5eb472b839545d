"""Weights that were made to do harm: nothing runs, nothing is written."""

import io
import json
import os
import pickle
import shutil
import struct
import zipfile

import numpy as np
import pytest

from siamkpn_jax.checkpoints import weights
from siamkpn_jax.config.settings import Config
from siamkpn_jax.conversion import run as conversion
from siamkpn_jax.core.errors import UserError
from tests.optional import import_or_skip
from tests.tracking.small import SMALL, small_network


class Harm:
  """Where a pickle is trusted, a file appears."""

  def __init__(self, mark):
    self.mark = mark

  def __reduce__(self):
    return os.system, (f'touch {self.mark}',)


@pytest.fixture
def place(tmp_path):
  """A folder to work in, beside which nothing may change."""
  (tmp_path / 'beside').mkdir()
  (tmp_path / 'beside' / 'notes').write_text('mine')
  (tmp_path / 'in').mkdir()
  yield tmp_path / 'in'
  assert sorted(p.name for p in tmp_path.iterdir()) == ['beside', 'in']
  assert [p.name for p in (tmp_path / 'beside').iterdir()] == ['notes']
  assert (tmp_path / 'beside' / 'notes').read_text() == 'mine'


@pytest.fixture(scope='module')
def genuine(tmp_path_factory):
  folder = tmp_path_factory.mktemp('genuine')
  weights.save_model(folder, Config().updated(model=SMALL), small_network()[1])
  return folder / 'checkpoints' / '0'


@pytest.fixture
def checkpoint(genuine, place):
  return shutil.copytree(genuine, place / '0')


def refused(read):
  with pytest.raises(UserError) as caught:
    read()
  message = str(caught.value)
  assert '\n' not in message and len(message) < 1000
  return message


def not_converted(path):
  """What is said; nothing of the output is left."""
  output = path.parent / 'out'
  message = refused(lambda: conversion.to_jax(path, output, 'network'))
  assert not output.exists()
  return message


@pytest.mark.parametrize('suffix', ['.pth', '.bin', '.ckpt', '.npz'])
def test_pickle(place, suffix):
  import_or_skip('torch', 'reads .pth')
  path = place / f'weights{suffix}'
  path.write_bytes(pickle.dumps(
      {'state_dict': {'a': Harm(place.parent / 'beside' / 'mark')}}))
  assert not_converted(path).startswith(f'{path}: ')


@pytest.mark.parametrize('suffix', ['.pth', '.npz'])
def test_zip_bomb(place, suffix):
  """Not unpacked: a hundred MB of zeros are a hundred kB in the file."""
  path = place / f'bomb{suffix}'
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
    for name in ('archive/data.pkl', 'a.npy'):
      with file.open(name, 'w') as entry:
        for _ in range(50):
          entry.write(bytes(2**20))
  assert 'unpacks to 104,857,600 bytes' in not_converted(path)


def test_one_number_for_a_terabyte(place):
  torch = import_or_skip('torch', 'writes .pth')
  torch.save({'a': torch.zeros(1).expand(2**20, 2**20)}, place / 'w.pth')
  assert 'one value for many' in not_converted(place / 'w.pth')


def test_an_array_that_claims_a_terabyte(place):
  header = io.BytesIO()
  np.lib.format.write_array_header_1_0(
      header, {'descr': '<f4', 'fortran_order': False, 'shape': (2**50,)})
  with zipfile.ZipFile(place / 'w.npz', 'w') as file:
    file.writestr('a.npy', header.getvalue() + bytes(8))
  assert 'cannot be read' in not_converted(place / 'w.npz')


@pytest.mark.parametrize('name', [
    '../beside/notes', '/tmp/notes', '..\\beside\\notes'])
def test_names_of_a_zip_are_only_names(place, name):
  with zipfile.ZipFile(place / 'w.npz', 'w') as file:
    data = io.BytesIO()
    np.save(data, np.zeros(2))
    file.writestr(f'{name}.npy', data.getvalue())
  not_converted(place / 'w.npz')


@pytest.mark.parametrize('size', [2**62, 2**63 + 5, 2**27, 10**6])
def test_giant_header(place, size):
  path = place / 'w.safetensors'
  path.write_bytes(struct.pack('<Q', size) + b'{"a": ' * 1000)
  for read in (weights.load_model, weights.read_config):
    assert 'cannot be read' in refused(lambda read=read: read(path))
  assert 'cannot be read' in not_converted(path)


def test_deep_header(place):
  path = place / 'w.safetensors'
  text = b'{"a":' * 100_000
  path.write_bytes(struct.pack('<Q', len(text)) + text)
  refused(lambda: weights.load_model(path))
  deep = json.dumps({'__metadata__': {
      'format': 'siamkpn_jax', 'config': '{"a":' * 100_000}}).encode()
  path.write_bytes(struct.pack('<Q', len(deep)) + deep)
  assert 'holds no configuration' in refused(lambda: weights.load_model(path))


@pytest.mark.parametrize('part', [
    'model', 'model/d', 'model/_METADATA', '_CHECKPOINT_METADATA',
    'checksums.json', 'model/manifest.ocdbt'])
def test_links_out_of_the_folder(checkpoint, genuine, part):
  """Even to what would be right."""
  path = checkpoint / part
  (shutil.rmtree if path.is_dir() else os.remove)(path)
  path.symlink_to(genuine / part)
  message = refused(lambda: weights.load_model(checkpoint))
  assert 'leads out of the checkpoint' in message


def test_a_link_to_the_whole_is_fine(checkpoint, place):
  (place / 'link').symlink_to(checkpoint)
  assert weights.load_model(place / 'link')
