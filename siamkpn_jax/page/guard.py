"""Who may ask: pages of this server alone, under a name of this server.

Any web page in the same browser can send requests to 127.0.0.1, and one whose
name its owner lets point there (DNS rebinding) can read the answers.
"""

import ipaddress
import json
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READING = ('GET', 'HEAD', 'OPTIONS')
_HEADERS = {
    'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(self), microphone=(), geolocation=()',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff'}


def good_host(host: str, names: Collection[str], *, local: bool) -> bool:
  """Whether a Host header names this server.

  Args:
    host: the header, with or without a port.
    names: by which the server is known, lower case.
    local: whether only this machine can reach it.
  """
  try:
    name = (urlsplit(f'//{host}').hostname or '').rstrip('.')
  except ValueError:
    return False
  try:
    address = ipaddress.ip_address(name)
  except ValueError:
    return name in names
  return address.is_loopback if local else True  # nobody rebinds an address


def own_names(host: str, others: Collection[str], *, local: bool) -> set[str]:
  """The names of a server that listens on `host`, lower case."""
  names = {'localhost', host.lower(), *(name.lower() for name in others)}
  return names if local else names | {socket.gethostname().lower()}


def same_origin(headers: Headers) -> bool:
  """Whether a request comes from a page of this server, or from no page."""
  if headers.get('sec-fetch-site', 'same-origin') not in ('same-origin',
                                                          'none'):
    return False
  origin = headers.get('origin')
  if origin is None:  # no browser: those tell it of every change
    return True
  return origin.lower().partition('://')[2] == headers.get('host', '').lower()


class Guard:
  """Refuses the others, and tells browsers what the page may do."""

  def __init__(self, app: ASGIApp, names: Collection[str], *, local: bool):
    self._app, self._names, self._local = app, names, local

  async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI."""
    if scope['type'] not in ('http', 'websocket'):
      await self._app(scope, receive, send)
      return
    headers = Headers(scope=scope)
    changes = (scope['type'] == 'websocket' or
               scope['method'] not in _READING)
    if not good_host(headers.get('host', ''), self._names, local=self._local):
      await _refuse(scope, send, 421, 'this server is not known by this name; '
                    'use the address that `siamkpn demo` printed, or start it '
                    'with --names NAME')
    elif changes and not same_origin(headers):
      await _refuse(scope, send, 403, 'this request comes from another page; '
                    'expected one of this server')
    elif scope['type'] == 'websocket':
      await self._app(scope, receive, send)
    else:
      await self._app(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
  async def sending(message: Message) -> None:
    if message['type'] == 'http.response.start':
      message = {**message, 'headers': [
          *message.get('headers', ()),
          *((name.encode(), text.encode()) for name, text in _HEADERS.items())]}
    await send(message)

  return sending


async def _refuse(scope: Scope, send: Send, status: int, line: str) -> None:
  if scope['type'] == 'websocket':
    await send({'type': 'websocket.close', 'code': 1008})
    return
  body = json.dumps({'error': line}).encode()
  await send({'type': 'http.response.start', 'status': status, 'headers': [
      (b'content-type', b'application/json'),
      (b'content-length', str(len(body)).encode())]})
  await send({'type': 'http.response.body', 'body': body})
