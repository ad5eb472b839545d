"""What a request brings, bounded in bytes and in time."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import ClientDisconnect, Request

from siamkpn_jax.core.numbers import is_count
from siamkpn_jax.page.limits import Limits, RefusedError

_SHORT = 64_000  # bytes of a request that is no upload


async def upload_of(request: Request, limits: Limits) -> AsyncIterator[bytes]:
  """The chunks of an upload, as they come.

  Raises:
    RefusedError: it is too long, in bytes or in time, or broken off.
  """
  line = (f'this file is larger than {limits.upload_mb:g} MB, the most that is '
          'taken here; cut it, or start `siamkpn demo` with a larger '
          '--upload-mb')
  if _announced(request) > limits.upload_bytes:
    raise RefusedError(413, line)
  size = 0
  late = (f'this upload took longer than {limits.upload_minutes:g} minutes, '
          'the most that is taken here; make the file smaller, or start '
          '`siamkpn demo` with a larger --upload-minutes')
  async for chunk in _chunks(request, limits, 60 * limits.upload_minutes, late):
    size += len(chunk)
    if size > limits.upload_bytes:
      raise RefusedError(413, line)
    yield chunk


async def json_of(request: Request, limits: Limits) -> dict[str, Any]:
  """The JSON object that a request has sent.

  Raises:
    RefusedError: it is none, or too long.
  """
  data = b''
  late = f'expected the request within {limits.patience:g} s; try again'
  async for chunk in _chunks(request, limits, limits.patience, late):
    data += chunk
    if len(data) > _SHORT:
      raise RefusedError(413, f'expected at most {_SHORT} bytes')
  with contextlib.suppress(ValueError, RecursionError):
    found = json.loads(data)
    if isinstance(found, dict):
      return found
  raise RefusedError(400, 'expected a JSON object')


def _announced(request: Request) -> int:
  """Bytes by the header, in which Python may not read all the digits."""
  text = request.headers.get('content-length', '0')
  if not is_count(text):
    raise RefusedError(400, 'content-length: expected a number of bytes')
  return int(text.lstrip('0')[:20] or 0)  # 20 digits are too many anyway


async def _chunks(request: Request, limits: Limits, seconds: float,
                  late: str) -> AsyncIterator[bytes]:
  """The body, if it comes in so many seconds, and is never long silent."""
  chunks = request.stream().__aiter__()
  loop = asyncio.get_running_loop()
  until = loop.time() + seconds
  while True:
    left = until - loop.time()
    try:
      yield await asyncio.wait_for(anext(chunks), min(limits.patience, left))
    except StopAsyncIteration:
      return
    except TimeoutError:
      raise RefusedError(408, late if left <= limits.patience else (
          f'nothing came for {limits.patience:g} s; try again')) from None
    except ClientDisconnect:
      raise RefusedError(400, 'the upload was broken off') from None
