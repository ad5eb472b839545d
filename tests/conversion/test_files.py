"""Files of weights: three formats, and those that are refused."""

import errno
import os
import pickle
import sys
import zipfile

import numpy as np
import pytest

from siamkpn_jax.conversion import files
from siamkpn_jax.conversion.files import (
  read_wrapped_state,
  sha256,
  write_state,
)
from siamkpn_jax.core.errors import UserError
from tests.conversion.small import assert_same, read_state
from tests.optional import import_or_skip

STATE = {
    'a.weight': np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    'a.bias': np.float32([0.5, -1]), 'a.num_batches_tracked': np.asarray(3)}


@pytest.fixture
def torch():
  return import_or_skip('torch', 'reads and writes .pth')


@pytest.mark.parametrize('suffix', ['.pth', '.pt', '.safetensors', '.npz'])
def test_written_and_read(tmp_path, suffix):
  if suffix.startswith('.p'):
    import_or_skip('torch', 'reads and writes .pth')
  path = tmp_path / 'new' / f'weights{suffix}'
  write_state(path, STATE)
  assert_same(read_state(path), STATE)
  assert [p.name for p in path.parent.iterdir()] == [path.name]
  digest = sha256(path)
  write_state(path, STATE | {'a.bias': np.float32([0, 0])})
  assert len(digest) == 64 and digest != sha256(path)


@pytest.mark.parametrize('zipped', [True, False])
def test_forms_of_pytorch_files(tmp_path, torch, zipped):
  state = {name: torch.from_numpy(np.array(v)) for name, v in STATE.items()}
  torch.save(state, tmp_path / 'w.pth', _use_new_zipfile_serialization=zipped)
  assert_same(read_state(tmp_path / 'w.pth'), STATE)


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16', 'float64'])
def test_other_precisions_become_float32(tmp_path, torch, dtype):
  from safetensors.torch import save_file
  value = torch.tensor([1.5, -2], dtype=getattr(torch, dtype))
  torch.save({'a': torch.nn.Parameter(value)}, tmp_path / 'w.pth')
  save_file({'a': value}, tmp_path / 'w.safetensors')
  for path in tmp_path.iterdir():
    found = read_state(path)['a']
    assert found.dtype == np.float32 and found.tolist() == [1.5, -2]


class Malicious:
  """Runs a command where pickle is trusted."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return os.system, (f'touch {self.path}',)


def test_code_is_refused(tmp_path, torch):
  """In PyTorch's file and in a bare pickle; nothing is run."""
  mark, path = tmp_path / 'mark', tmp_path / 'w.pth'
  torch.save({'state_dict': {'a': torch.zeros(2)}, 'x': Malicious(mark)}, path)
  with pytest.raises(UserError, match=r'refused.*posix\.system.*nothing.*'):
    read_state(path)
  path.write_bytes(pickle.dumps(Malicious(mark)))
  with pytest.raises(UserError, match=r'refused.*nothing'):
    read_state(path)
  assert not mark.exists()
  torch.save(torch.nn.Linear(2, 3), path)
  with pytest.raises(UserError, match=r'refused.*Linear.*state_dict\(\)'):
    read_state(path)
  np.savez(tmp_path / 'w.npz', a=np.array([Malicious(mark)], object))
  with pytest.raises(UserError, match='of plain arrays'):
    read_state(tmp_path / 'w.npz')
  assert not mark.exists()


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors', '.npz'])
@pytest.mark.parametrize('damage', ['cut', 'text', 'empty'])
def test_damaged(tmp_path, torch, suffix, damage):
  path = tmp_path / f'w{suffix}'
  write_state(path, STATE)
  content = path.read_bytes()
  path.write_bytes({'cut': content[:len(content) // 2], 'text': b'<html>' * 99,
                    'empty': b''}[damage])
  with pytest.raises(UserError, match=r'cannot be read|refused') as caught:
    read_state(path)
  assert str(path) in str(caught.value) and '\n' not in str(caught.value)


def test_other_kinds_of_tensors(tmp_path, torch):
  torch.save({'a': torch.eye(3).to_sparse()}, tmp_path / 'w.pth')
  with pytest.raises(UserError, match='a is no plain array'):
    read_state(tmp_path / 'w.pth')


@pytest.mark.parametrize('name', ['W.NPZ', 'W.SafeTensors', 'W.PTH'])
def test_upper_case_endings(tmp_path, torch, name):
  write_state(tmp_path / name, STATE)
  assert_same(read_state(tmp_path / name), STATE)
  assert [p.name for p in tmp_path.iterdir()] == [name]


def test_not_weights(tmp_path, torch):
  with pytest.raises(UserError, match=r'a folder.*--to torch'):
    read_state(tmp_path)
  with pytest.raises(UserError, match='no such file'):
    read_state(tmp_path / 'none.pth')
  (tmp_path / 'w.onnx').write_bytes(b'x')
  with pytest.raises(UserError, match=r"unknown ending '\.onnx'"):
    read_state(tmp_path / 'w.onnx')
  torch.save([torch.zeros(2)], tmp_path / 'list.pth')
  with pytest.raises(UserError, match='holds a list'):
    read_state(tmp_path / 'list.pth')
  torch.save({'epoch': 3}, tmp_path / 'none.pth')
  with pytest.raises(UserError, match='no arrays under epoch'):
    read_state(tmp_path / 'none.pth')
  np.savez(tmp_path / 'w.npz', **{'module.a': np.zeros(2), 'a': np.zeros(2)})
  with pytest.raises(UserError, match='with and without'):
    read_state(tmp_path / 'w.npz')


@pytest.mark.parametrize(('content', 'told'), [
    (b'<!DOCTYPE html>\n<html>', 'an HTML page'),
    (b'\n\n <HTML lang="en">', 'an HTML page'),
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n',
     'a Git LFS pointer.*git lfs pull'),
    (b'<?xml version="1.0"?><Error>', 'XML'),
    (b'{"error": "not found"}', "server's error"),
    (b'\x1f\x8b\x08', 'gzip'), (b'', 'an empty file')])
@pytest.mark.parametrize('suffix', ['.pth', '.npz', '.safetensors', '.tar'])
def test_what_it_is_instead(tmp_path, content, told, suffix):
  path = tmp_path / f'w{suffix}'
  path.write_bytes(content)
  with pytest.raises(UserError, match=told) as caught:
    read_state(path)
  assert 'pickle' not in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.parametrize('prefix', [
    'module.', '_orig_mod.', 'model.', 'net.', 'module._orig_mod.',
    '_orig_mod.module.', 'model.module.'])
@pytest.mark.parametrize('suffix', ['.npz', '.safetensors'])
def test_prefixes(tmp_path, prefix, suffix):
  """Gone, and said to be."""
  path = tmp_path / f'w{suffix}'
  write_state(path, {prefix + name: value for name, value in STATE.items()})
  state, notes = read_wrapped_state(path)
  assert_same(state, STATE)
  assert notes == (f"names lost their '{prefix}'",)
  write_state(path, STATE)
  assert read_wrapped_state(path)[1] == ()


@pytest.mark.parametrize('keys', [
    ['net'], ['model'], ['state_dict'], ['model_state_dict'], ['network'],
    ['model', 'state_dict'], ['net', 'state_dict']])
def test_dicts_around_it(tmp_path, torch, keys):
  wrapped = {f'_orig_mod.{k}': torch.from_numpy(np.array(v))
             for k, v in STATE.items()}
  for key in reversed(keys):
    wrapped = {key: wrapped, 'epoch': 3, 'optimizer': {'state': {}},
               'lr': torch.zeros(1)}
  torch.save(wrapped, tmp_path / 'w.pth')
  state, notes = read_wrapped_state(tmp_path / 'w.pth')
  assert_same(state, STATE)
  under = '.'.join(keys)
  assert notes == (f"the weights are those under '{under}' in the file",
                   "names lost their '_orig_mod.'")


def test_without_pytorch(tmp_path, monkeypatch):
  """It is only needed for its own files."""
  monkeypatch.setitem(sys.modules, 'torch', None)
  (tmp_path / 'w.pth').write_bytes(b'x')
  for action in (lambda: read_state(tmp_path / 'w.pth'),
                 lambda: write_state(tmp_path / 'v.pth', STATE)):
    with pytest.raises(UserError, match=r'siamkpn_jax\[torch\]'):
      action()
  assert not (tmp_path / 'v.pth').exists()
  write_state(tmp_path / 'w.npz', STATE)
  assert_same(read_state(tmp_path / 'w.npz'), STATE)


@pytest.mark.parametrize('key', ['ema', 'tracker', 'of my own'])
def test_a_dict_under_any_name_if_it_is_the_only_one(tmp_path, torch, key):
  path = tmp_path / 'w.pth'
  tensors = {'a.weight': torch.ones(2)}
  content = {'epoch': 3, key: tensors, 'optimizer': {'state': {0: tensors}}}
  torch.save(content, path)
  state, notes = read_wrapped_state(path)
  assert list(state) == ['a.weight'] and f"'{key}'" in notes[0]
  torch.save(content | {'another': tensors}, path)
  with pytest.raises(UserError, match='holds no arrays under'):
    read_state(path)


@pytest.mark.parametrize('content', [
    b'Not Found', b'{"message": "Not Found"}', b'<head><title>', b'%PDF-1.4',
    '<!DOCTYPE html>'.encode('utf-16'), b'\x89PNG\r\n\x1a\n', b'\xa1' * 99])
def test_what_is_no_pickle_is_not_called_one(tmp_path, torch, content):
  path = tmp_path / 'w.pth'
  path.write_bytes(content)
  with pytest.raises(UserError, match='it is no PyTorch file'):
    read_state(path)


def test_one_flipped_bit_of_an_array(tmp_path, torch):
  """PyTorch does not look at the checksums that it writes."""
  path = tmp_path / 'w.pth'
  value = np.random.default_rng(0).random(64, np.float32)
  torch.save({'a': torch.from_numpy(value)}, path)
  data = bytearray(path.read_bytes())
  data[data.index(value.tobytes()) + 100] ^= 1
  path.write_bytes(data)
  with pytest.raises(UserError, match='is not as it was written'):
    read_state(path)


def test_a_zip_file_of_something_else(tmp_path):
  path = tmp_path / 'w.npz'
  with zipfile.ZipFile(path, 'w') as file:
    file.writestr('readme.txt', 'x')
  with pytest.raises(UserError, match='a zip file of something else'):
    read_state(path)


@pytest.mark.parametrize('place', ['foreign_kind', '_check_sums'])
def test_a_disk_that_fails_is_no_damage(tmp_path, monkeypatch, place):
  """The file need not be downloaded again."""
  path = tmp_path / 'weights.npz'
  files.write_state(path, {'a': np.ones(3, np.float32)})
  def fail(path):
    raise OSError(errno.EIO, 'Input/output error')
  monkeypatch.setattr(files, place, fail)
  with pytest.raises(UserError, match='Input/output error.; see to') as caught:
    files.read_wrapped_state(path)
  assert 'download' not in str(caught.value)


@pytest.mark.parametrize('suffix, place', [
    ('.pth', 'torch.load'), ('.npz', 'siamkpn_jax.conversion.files.read_npz'),
    ('.safetensors', 'safetensors.safe_open')])
def test_what_is_no_damage_is_not_called_so(tmp_path, torch, monkeypatch,
                                            suffix, place):
  path = tmp_path / f'w{suffix}'
  write_state(path, STATE)
  def fail_with(error):
    def fail(*args, **kwargs):
      raise error
    monkeypatch.setattr(place, fail)

  fail_with(OSError(errno.ESTALE, 'Stale file handle'))
  with pytest.raises(UserError, match=r'\(Stale file handle\); see to'):
    read_state(path)
  for bug in (NameError('x'), ImportError('x'), KeyboardInterrupt()):
    fail_with(bug)
    with pytest.raises(type(bug)):
      read_state(path)


@pytest.mark.parametrize('error', [
    MemoryError('Unable to allocate 8 GiB'), RuntimeError(
        "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't "
        'allocate memory')])
def test_too_little_memory(tmp_path, torch, monkeypatch, error):
  """Which may be of this machine, or of what a damaged file asks for."""
  path = tmp_path / 'w.pth'
  write_state(path, STATE)
  def fail(*args, **kwargs):
    raise error
  monkeypatch.setattr(torch, 'load', fail)
  with pytest.raises(UserError, match='asks for more memory than there is'):
    read_state(path)


def test_safetensors_of_other_kinds(tmp_path, torch):
  from safetensors.torch import save_file
  save_file({'a': torch.ones(4).to(torch.float8_e4m3fn)},
            tmp_path / 'w.safetensors')
  with pytest.raises(UserError, match='a is of type F8_E4M3; expected numbers'):
    read_state(tmp_path / 'w.safetensors')
