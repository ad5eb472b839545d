"""State dicts on disk: PyTorch files, .safetensors and .npz."""

import hashlib
import pickle
import re
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.conversion import wrappers
from siamkpn_jax.conversion.names import COUNTER
from siamkpn_jax.core.atomic_io import atomic_paths, file_errors
from siamkpn_jax.core.errors import UserError, first_line
from siamkpn_jax.core.foreign_files import foreign_kind
from siamkpn_jax.core.npz import read_npz, unpacked_size

TORCH_SUFFIXES = ('.pth', '.pt', '.tar', '.ckpt', '.bin', '.model')
SUFFIXES = (*TORCH_SUFFIXES, '.safetensors', '.npz')

# What torch.load raises at bytes that are not what they should be. A bug or a
# full memory is not among it, but see `_is_memory`.
_NO_TORCH = (RuntimeError, ValueError, TypeError, LookupError, AttributeError,
             AssertionError, EOFError, OverflowError, struct.error, OSError,
             MemoryError)

_PLAIN_KIND = re.compile('[FIU](8|16|32|64)|BF16|BOOL')  # of safetensors

State = dict[str, np.ndarray]


def read_wrapped_state(path: Path) -> tuple[State, tuple[str, ...]]:
  """Reads a state dict, without what programs wrap around it.

  Nothing of the file is executed: PyTorch files are read with
  `weights_only=True`, .npz without pickle.

  Args:
    path: a file with one of `SUFFIXES`; a PyTorch file holds the state dict or
      a dict with it under one of `wrappers.KEYS`.

  Returns:
    {name: array}, floats as float32, and notes on what was unwrapped.

  Raises:
    UserError: missing, of another kind, damaged, with code in it, or PyTorch
      is not installed.
  """
  if path.is_dir():
    raise UserError(f'{path}: is a folder; expected a file of weights '
                    f'({", ".join(SUFFIXES)}): convert a checkpoint of this '
                    'program with --to torch')
  if not path.is_file():
    raise UserError(f'{path}: no such file; expected weights '
                    f'({", ".join(SUFFIXES)})')
  under = ''
  suffix = path.suffix.lower()
  if suffix in SUFFIXES:
    _check_kind(path)
  if suffix in TORCH_SUFFIXES:
    raw, under = _read_torch(path)
  elif suffix == '.safetensors':
    raw = _read_safetensors(path)
  elif suffix == '.npz':
    raw = _read_npz(path)
  else:
    raise UserError(f'{path}: unknown ending {path.suffix!r}; expected one of '
                    f'{", ".join(SUFFIXES)}: rename it, or save it in such a '
                    'format')
  if not raw:
    raise UserError(f'{path}: holds no arrays; expected a state dict')
  try:
    short, prefixes = wrappers.strip_prefixes(raw)
  except UserError as error:
    raise UserError(f'{path}: {error}') from error
  notes = [f"the weights are those under '{under}' in the file"] * bool(under)
  notes += [f"names lost their '{prefix}'" for prefix in prefixes]
  return {short[name]: _plain(path, name, value)
          for name, value in raw.items()}, tuple(notes)


def _check_kind(path: Path) -> None:
  """Checks that a file may be weights, whole and of a size that fits it."""
  try:
    kind = foreign_kind(path)
    if not kind and zipfile.is_zipfile(path):
      with zipfile.ZipFile(path) as file:
        size = unpacked_size(file, path.stat().st_size)
      if size:
        kind = (f'a file that unpacks to {size:,} bytes, which no weights do: '
                'do not use it')
      else:
        _check_sums(path)  # PyTorch does not
  except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError
          ) as error:
    raise _damaged(path, 'file', error) from error
  if kind:
    raise UserError(f'{path}: cannot be read, as it is {kind}; expected '
                    f'weights ({", ".join(SUFFIXES)})')


def _check_sums(path: Path) -> None:
  """Raises BadZipFile if a part of a zip file is not as it was written."""
  with zipfile.ZipFile(path) as file:
    try:
      changed = file.testzip()
    except (zlib.error, EOFError, RuntimeError) as error:
      raise zipfile.BadZipFile(first_line(error)) from error
  if changed is not None:
    raise zipfile.BadZipFile(f'{changed} is not as it was written')


def _plain(path: Path, name: str, array: np.ndarray) -> np.ndarray:
  if array.dtype.kind not in 'fiub' and array.dtype.name != 'bfloat16':
    raise _of_kind(path, name, str(array.dtype))
  is_float = array.dtype.kind == 'f' or array.dtype.name == 'bfloat16'
  return array.astype(np.float32) if is_float else array


def _of_kind(path: Path, name: str, kind: str) -> UserError:
  return UserError(f'{path}: {name} is of type {kind}; expected numbers of 16, '
                   '32 or 64 bits: convert it with PyTorch')


def _read_torch(path: Path) -> tuple[State, str]:
  torch = _import_torch(path)
  try:
    with warnings.catch_warnings(action='ignore'):  # of old pickle protocols
      content = torch.load(path, map_location='cpu', weights_only=True)
  except pickle.UnpicklingError as error:
    if not _may_be_pickle(path, error):
      raise UserError(f'{path}: cannot be read, as it is no PyTorch file; '
                      'expected weights as torch.save writes them: see what '
                      'it is, or download it again') from error
    raise UserError(f'{path}: refused, as {_what_code(error)}; nothing of it '
                    'was executed: if you trust it, load it with PyTorch and '
                    'save its state_dict()') from error
  except _NO_TORCH as error:
    raise _damaged(path, 'PyTorch file', error) from error
  try:
    tensors, under = wrappers.unwrap(
        content, lambda value: isinstance(value, torch.Tensor))
  except UserError as error:
    raise UserError(f'{path}: {error}') from error
  arrays = {}
  for name, value in tensors.items():
    try:
      arrays[name] = _tensor_to_numpy(torch, value)
    # Sparse, quantized and other kinds.
    except (RuntimeError, TypeError, ValueError) as error:
      if _is_memory(error):
        raise _damaged(path, 'PyTorch file', error) from error
      raise UserError(f'{path}: {name} is no plain array '
                      f'({first_line(error)}); expected dense tensors: convert '
                      'it with PyTorch') from error
  return arrays, under


def _damaged(path: Path, kind: str, error: Exception) -> UserError:
  if isinstance(error, OSError) and error.errno is not None:
    return UserError(f'{path}: cannot be read ({error.strerror}); see to the '
                     'cause and try again')
  if _is_memory(error):
    return UserError(f'{path}: asks for more memory than there is '
                     f'({first_line(error)}); expected arrays that take about '
                     f'the {path.stat().st_size:,} bytes of the file: end '
                     'other programs, or, if they are enough, download it '
                     'again')
  return UserError(f'{path}: cannot be read ({first_line(error)}); expected an '
                   f'intact {kind} of plain arrays: download it again, or save '
                   'its state_dict()')


def _is_memory(error: Exception) -> bool:
  """Whether memory was short, which PyTorch tells in words."""
  return isinstance(error, MemoryError) or bool(re.search(
      r"can't allocate memory|not enough memory|out of memory", str(error)))


def _tensor_to_numpy(torch: Any, value: Any) -> np.ndarray:
  value = value.detach()
  if value.numel() * value.element_size() > value.untyped_storage().nbytes():
    raise ValueError('one value for many')  # of any size, in a small file
  if value.is_floating_point():
    value = value.to(torch.float32)
  return value.numpy()


def _may_be_pickle(path: Path, error: Exception) -> bool:
  """Whether something other than a page or an image was refused."""
  with path.open('rb') as file:
    head = file.read(2)
  # Since protocol 2, pickles begin with its number.
  return (head == b'PK' or (head[:1] == b'\x80' and head[1:] <= b'\5') or
          'GLOBAL' in str(error))


def _what_code(error: Exception) -> str:
  """What a refused pickle wanted to call, from PyTorch's message."""
  found = re.search(r'GLOBAL ([\w.]+)', str(error))
  if found:
    return f'it holds more than arrays ({found[1]})'
  return 'it is a pickle of something other than arrays'


def _import_torch(path: Path) -> Any:
  try:
    import torch
  except ImportError as error:
    raise UserError(
        f'{path}: needs PyTorch ({first_line(error)}): install it (pip install '
        "'siamkpn_jax[torch]'), or save the state dict as .safetensors or .npz "
        'where it is installed') from error
  return torch


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
  import ml_dtypes  # noqa: F401  tells NumPy what bfloat16 is
  from safetensors import SafetensorError, safe_open
  state: State = {}
  try:
    with safe_open(path, 'numpy') as file:
      for name in file.keys():  # noqa: SIM118
        kind = file.get_slice(name).get_dtype()
        if not _PLAIN_KIND.fullmatch(kind):
          raise _of_kind(path, name, kind)
        state[name] = file.get_tensor(name)
  except (OSError, SafetensorError) as error:
    raise _damaged(path, 'safetensors file', error) from error
  if any(name.startswith('params/') for name in state):
    raise UserError(f'{path}: already a file of python -m siamkpn_jax.export; '
                    'expected PyTorch weights: use it directly as --weights, '
                    'or convert it with --to torch')
  return state


def _read_npz(path: Path) -> dict[str, np.ndarray]:
  try:
    with path.open('rb') as file:
      return read_npz(file)
  except (OSError, ValueError) as error:
    raise _damaged(path, '.npz file', error) from error


def write_state(path: Path, state: State) -> None:
  """Writes a state dict, whole or not at all; the suffix decides the format.

  Batch counters, which PyTorch's strict loading asks for, are int64 scalars.

  Raises:
    UserError: the file cannot be written, or PyTorch is not installed.
  """
  state = {name: np.ascontiguousarray(value) if value.ndim else value
           for name, value in state.items()}
  suffix = path.suffix.lower()
  torch = _import_torch(path) if suffix in TORCH_SUFFIXES else None
  with atomic_paths([path]) as partial, file_errors(path):
    if torch is not None:
      torch.save({name: torch.from_numpy(np.array(value))
                  for name, value in state.items()}, partial[path])
    elif suffix == '.safetensors':
      from safetensors.numpy import save_file
      save_file(state, partial[path])
    elif suffix == '.npz':
      with partial[path].open('wb') as file:  # a name would get an ending
        np.savez(file, **state)  # type: ignore[arg-type]
    else:
      raise ValueError(f'{path}: nothing writes {suffix!r}')


def is_counter(name: str) -> bool:
  """Whether a name is that of a batch counter."""
  return name.endswith(f'.{COUNTER}')


def sha256(path: Path) -> str:
  """Hexadecimal digest of a file."""
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()
