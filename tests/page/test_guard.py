"""Who may ask the page, and what it may load."""

import re

import pytest

from tests.page.still import refused, testclient


@pytest.mark.parametrize('headers, status', [
    ({}, 200),
    ({'origin': 'http://127.0.0.1:8765'}, 200),
    ({'origin': 'http://evil.example'}, 403),
    ({'origin': 'http://127.0.0.1:9999'}, 403),
    ({'origin': 'null'}, 403),
    ({'sec-fetch-site': 'cross-site'}, 403),
    ({'origin': 'null'}, 403),
    ({'origin': 'http://['}, 403),
    ({'host': 'evil.example'}, 421),
    ({'host': 'evil.example:8765', 'origin': 'http://evil.example:8765'}, 421),
    ({'host': '192.168.0.7'}, 421),
    ({'host': 'localhost:8765'}, 200)])
def test_foreign_pages_are_refused(server, headers, status):
  """Those that ask this machine, and those whose name leads here."""
  client, _ = server()
  answer = client.post('/api/videos/none/stop', headers=headers)
  if status == 200:
    refused(answer, 404, 'no longer')
  else:
    refused(answer, status)
    with pytest.raises(testclient.WebSocketDisconnect):
      client.websocket_connect('ws://127.0.0.1:8765/api/camera',
                               headers=headers).__enter__()
  if 'host' in headers:
    assert client.get('/', headers=headers).status_code == status


def test_the_page_loads_nothing_from_elsewhere(server):
  client, _ = server()
  answer = client.get('/')
  assert "default-src 'none'" in answer.headers['content-security-policy']
  assert answer.headers['x-content-type-options'] == 'nosniff'
  from siamkpn_jax.page.app import STATIC
  parts = {'page.js'}
  for path in STATIC.iterdir():
    text = client.get(f'/static/{path.name}')
    assert text.headers['cache-control'] == 'no-cache'
    assert text.status_code == 200
    assert 'https://' not in text.text and '//cdn' not in text.text
    parts |= set(re.findall(r"^(?:import|export).* '\./(.*)';$", text.text,
                            re.MULTILINE))
  assert parts == {path.name for path in STATIC.glob('*.js')}
