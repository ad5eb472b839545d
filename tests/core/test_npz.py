"""Files of arrays: read, or refused for what is wrong with them."""

import errno
import io
import zipfile

import numpy as np
import pytest

from siamkpn_jax.core import npz
from siamkpn_jax.core.npz import read_npz


def _zip(name: str = 'a.npy', data: bytes = b'', **how) -> io.BytesIO:
  file = io.BytesIO()
  with zipfile.ZipFile(file, 'w', **how) as archive:
    archive.writestr(name, data)
  return file


def _npy(header: str, data: bytes = b'') -> bytes:
  text = header.encode()
  return b'\x93NUMPY\1\0' + len(text).to_bytes(2, 'little') + text + data


def _header(descr: str = "'<f4'", shape: str = '(2,)') -> str:
  return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_what_was_written(save):
  arrays = {'a': np.arange(6.).reshape(2, 3).T, 'b': np.asarray('ä'),
            'c/d': np.zeros((0, 4), np.int8), 'e': np.array(['', 'xy'])}
  file = io.BytesIO()
  save(file, **arrays)
  found = read_npz(file)
  assert found.keys() == arrays.keys()
  for name, array in arrays.items():
    assert found[name].dtype == array.dtype
    np.testing.assert_array_equal(found[name], array)
    assert found[name].flags.writeable


@pytest.mark.parametrize('content', [
    _npy(_header()), _npy(_header(shape='(2**40,)')),
    _npy(_header(shape='(1099511627776,)')),
    _npy(_header(shape='(18446744073709551616, 0)')),
    _npy(_header("'<U0'", '(1099511627776,)')), _npy(_header("'|O'")),
    _npy(_header(shape='(-1, -2)'), b'x' * 8), _npy('-' * 9000 + '1'),
    _npy('[' * 9000), _npy('{[]: 1}'), _npy("'''"), _npy(_header('[1, 2]')),
    b'\x93NUMPY\3\0', b'\x93NUMPY', b''])
def test_arrays_that_are_none(content):
  with pytest.raises(ValueError):
    read_npz(_zip(data=content))


def test_files_that_are_none():
  whole = _zip(data=_npy(_header(), b'x' * 8)).getvalue()
  assert read_npz(io.BytesIO(whole))['a'].shape == (2,)
  flipped = bytearray(whole)
  flipped[whole.index(b'xxxx')] ^= 1
  for data in (b'', b'PK', whole[:50], whole[10:], bytes(flipped),
               _zip('readme.txt').getvalue(),
               _zip(data=_npy(_header(), b'x' * 8),
                    compression=zipfile.ZIP_BZIP2).getvalue()):
    with pytest.raises(ValueError):
      read_npz(io.BytesIO(data))


def test_a_bomb(monkeypatch):
  monkeypatch.setattr(npz, '_SMALL', 0)
  file = io.BytesIO()
  np.savez_compressed(file, a=np.zeros(10**6))
  with pytest.raises(ValueError, match='unpacks to 8,000'):
    read_npz(file)


@pytest.mark.parametrize('error', [
    MemoryError(), OSError(errno.EIO, 'Input/output error'),
    AttributeError('of ours'), NameError('of ours')])
def test_what_is_no_damage_comes_through(error, monkeypatch):
  def fail(*args, **kwargs):
    raise error

  monkeypatch.setattr(npz.npy, 'read_array', fail)
  with pytest.raises(type(error)):
    read_npz(_zip(data=_npy(_header(), b'x' * 8)))
