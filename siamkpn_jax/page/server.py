"""Serves the page: a process that ends by Ctrl-C."""

import errno
import ipaddress
import socket
import sys
from collections.abc import Collection

import uvicorn

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.page.app import make_app
from siamkpn_jax.page.groups import Trackers
from siamkpn_jax.page.guard import own_names
from siamkpn_jax.page.limits import Limits

_FRAME = 4_000_000  # bytes of a message by WebSocket
_PATIENCE = 3  # seconds for answers that are under way at the end


def bind(host: str, port: int) -> socket.socket:
  """A socket on which to listen.

  Raises:
    UserError: the port is in use or not allowed, or the host is none.
  """
  try:
    ((family, kind, protocol, _, address), *_) = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
  except (socket.gaierror, UnicodeError):
    raise UserError(f'--host {host}: unknown; expected an address of this '
                    'machine, such as 127.0.0.1 or 0.0.0.0') from None
  listening = socket.socket(family, kind, protocol)
  try:
    if sys.platform != 'win32':  # there it would share the port
      listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(address)
    listening.listen(128)
  except OSError as error:
    listening.close()
    raise _refused(host, port, error) from None
  return listening


def _refused(host: str, port: int, error: OSError) -> UserError:
  if error.errno == errno.EADDRNOTAVAIL:
    return UserError(f'--host {host}: not an address of this machine; expected '
                     'one, such as 127.0.0.1 or 0.0.0.0')
  why = ('in use' if error.errno == errno.EADDRINUSE else
         (error.strerror or str(error)).lower())
  return UserError(f'--port {port}: {why} on {host}; expected a free port: end '
                   'what listens there, or choose another, such as '
                   f'--port {port + 1 if 1024 <= port < 65535 else 8765}')


def serve(listening: socket.socket, host: str, names: Collection[str],
          limits: Limits, trackers: Trackers) -> None:
  """Serves until Ctrl-C, which is raised again at the end.

  Args:
    listening: of `bind`, which is closed at the end.
    host: as the user gave it.
    names: others by which browsers may ask for it.
    limits: what it allows.
    trackers: what it tracks with.
  """
  address, port = listening.getsockname()[:2]
  local = ipaddress.ip_address(address.partition('%')[0]).is_loopback
  app = make_app(limits, trackers, local=local,
                 names=own_names(host, names, local=local))
  try:
    _say_where(host, port, local=local)
    uvicorn.Server(uvicorn.Config(
        app, log_level='error', access_log=False, server_header=False,
        ws_max_size=_FRAME, timeout_graceful_shutdown=_PATIENCE,
        limit_concurrency=64 * limits.clients)).run(sockets=[listening])
  finally:  # also before uvicorn takes care of Ctrl-C
    app.state.page.close()
    listening.close()


def _say_where(host: str, port: int, *, local: bool) -> None:
  shown = host if local else socket.gethostname()
  shown = f'[{shown}]' if ':' in shown else shown
  print(f'http://{shown}:{port} is ready; open it in a browser, Ctrl-C ends it',
        flush=True)
  if not local:
    print('note: everyone who reaches this machine by network can use the '
          'page; browsers give it a camera only over https or on this machine '
          '(docs/demo.md)', file=sys.stderr)
