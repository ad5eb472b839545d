"""What files hold, as it is damaged: JSON, text, arrays, bytes."""

import dataclasses
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

# Where these stand for a value, the JSON text gets what Python cannot write.
HUGE, NESTED, SURROGATE, DOUBLE = '\ue000', '\ue001', '\ue002', '\ue003'
_RAW = {HUGE: '9' * 5000, NESTED: '[' * 20_000 + ']' * 20_000,
        SURROGATE: r'"\udcff"', DOUBLE: '{"a": 1, "a": "2"}'}


class Lines(list):
  """A file of one JSON value per line."""


@dataclasses.dataclass(frozen=True)
class Arrays:
  """A .npz file."""
  arrays: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Tensors:
  """A .safetensors file: its header as JSON, and what follows."""
  header: Any
  data: bytes


Files = dict[str, Any]  # path -> content; {name} in a path is a name


def encode(content: Any) -> bytes:
  """The bytes of a file."""
  if isinstance(content, bytes):
    return content
  if isinstance(content, str):
    return content.encode(errors='surrogateescape' if all(
        c < '\ud800' or '\udc80' <= c <= '\udcff' or c > '\udfff'
        for c in content) else 'surrogatepass')
  if isinstance(content, Lines):
    return b''.join(_json(line) + b'\n' for line in content)
  if isinstance(content, Arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **{_member(k): v for k, v in content.arrays.items()})
    return buffer.getvalue()
  if isinstance(content, Tensors):
    header = _json(content.header)
    return len(header).to_bytes(8, 'little') + header + content.data
  return _json(content)


def _json(value: Any) -> bytes:
  text = json.dumps(value, default=str)
  for mark, raw in _RAW.items():
    text = text.replace(json.dumps(mark), raw)
  return text.encode()


def _member(name: str) -> str:
  """A name that a zip file can hold."""
  return name.encode(errors='replace').decode().replace('\0', '')[:99] or '_'
