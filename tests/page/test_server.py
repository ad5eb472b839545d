"""The command: where it listens, how it ends, what it lacks."""

import contextlib
import importlib.util
import socket

import pytest

from siamkpn_jax.page import guard
from tests.commands import assert_one_line
from tests.optional import import_or_skip

import_or_skip('uvicorn', 'needs uvicorn, of the extra demo')


@pytest.fixture
def port():
  """One in use."""
  with contextlib.closing(socket.socket()) as listening:
    listening.bind(('127.0.0.1', 0))
    listening.listen()
    yield listening.getsockname()[1]


def test_a_port_in_use(command, port):
  assert_one_line(command('demo', f'--port={port}'), f'--port {port}', 'in use',
                  'choose another')


@pytest.mark.parametrize('host', ['unknown.invalid', '203.0.113.5',
                                  '\u00fc' * 99])
def test_a_host_that_is_none(command, monkeypatch, host):
  ask = socket.getaddrinfo

  def answer(name, *others, **more):
    if name == 'unknown.invalid':  # without waiting for a name server
      raise socket.gaierror
    return ask(name, *others, **more)

  monkeypatch.setattr('socket.getaddrinfo', answer)
  assert_one_line(command('demo', f'--host={host}', '--port=0'),
                  '--host', 'expected', '127.0.0.1')


@pytest.mark.parametrize('flag, word', [
    ('--port=70000', 'at most 65535'), ('--clients=0', 'at least 1'),
    ('--upload-mb=nan', 'a number'), ('--weights=none', 'no such checkpoint'),
    ('--tracking=penalty=1', 'penalty')])
def test_wrong_flags(command, flag, word):
  assert_one_line(command('demo', flag), word)


def test_the_extra_is_named(command, monkeypatch):
  find = importlib.util.find_spec
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: (
      None if name in ('starlette', 'uvicorn') else find(name)))
  assert_one_line(command('demo'), 'starlette, uvicorn',
                  "pip install 'siamkpn_jax[demo]'")


@pytest.mark.parametrize('host, names, local, good', [
    ('127.0.0.1:8765', (), True, True), ('[::1]:8765', (), True, True),
    ('localhost', (), True, True), ('LOCALHOST.:1', (), True, True),
    ('10.0.0.1', (), True, False), ('10.0.0.1', (), False, True),
    ('evil.example', (), False, False), ('', (), False, False),
    ('127.0.0.1.evil.example', (), True, False), ('[::1', (), True, False),
    ('Mine.Example:443', ('mine.example',), False, True)])
def test_names_of_this_server(host, names, local, good):
  own = guard.own_names('127.0.0.1' if local else '0.0.0.0', names, local=local)
  assert guard.good_host(host, own, local=local) == good
