"""Answers as JSON, also to what is refused, and requests in JSON."""

import contextlib
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from siamkpn_jax.page.limits import RefusedError

_SHORT = 64_000  # bytes of a request that is no upload


async def refused(request: Request, error: Exception) -> Response:
  """What the page will not do."""
  del request
  assert isinstance(error, RefusedError)
  return as_json({'error': str(error)}, error.status)


async def mistaken(request: Request, error: Exception) -> Response:
  """A mistake in what was sent."""
  del request
  return as_json({'error': str(error)}, 400)


async def not_found(request: Request, error: Exception) -> Response:
  """No such page."""
  del error
  return as_json({'error': f'{request.url.path}: there is no such page'}, 404)


def as_json(content: Any, status: int = 200) -> Response:
  """What nobody may keep: it changes."""
  return JSONResponse(content, status, headers={'cache-control': 'no-store'})


async def body_of(request: Request) -> dict[str, Any]:
  """The JSON object that a request has sent.

  Raises:
    RefusedError: it is none, or too long.
  """
  data = b''
  async for chunk in request.stream():
    data += chunk
    if len(data) > _SHORT:
      raise RefusedError(413, f'expected at most {_SHORT} bytes')
  with contextlib.suppress(ValueError, RecursionError):
    found = json.loads(data)
    if isinstance(found, dict):
      return found
  raise RefusedError(400, 'expected a JSON object')
