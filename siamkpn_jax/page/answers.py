"""Answers as JSON, also to what is refused."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from siamkpn_jax.page.limits import RefusedError

_SHOWN = 80  # characters of an address


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
  path = request.url.path[:_SHOWN]
  return as_json({'error': f'{path}: there is no such page'}, 404)


def as_json(content: Any, status: int = 200) -> Response:
  """What nobody may keep: it changes."""
  return JSONResponse(content, status, headers={'cache-control': 'no-store'})
