"""A path that is no file or folder is called what it is."""

import os
import socket

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_kinds import other_kind
from siamkpn_jax.evaluation.formats.sequences import load_annotations, load_otb
from siamkpn_jax.evaluation.formats.vot_sequences import load_vot
from siamkpn_jax.tracking.video import open_frames

URLS = ['https://a.org/b.mp4', 'rtsp://cam:554/x', 'file:///tmp/b.mp4']


@pytest.fixture
def odd(tmp_path, monkeypatch):
  """Name -> what it is."""
  monkeypatch.chdir(tmp_path)  # names of sockets are short
  os.mkfifo('pipe.json')
  (tmp_path / 'link.mp4').symlink_to('gone.mp4')
  server = socket.socket(socket.AF_UNIX)
  server.bind('socket')
  yield {'pipe.json': 'a pipe', 'socket': 'a socket', '/dev/null': 'a device',
         'link.mp4': "a link to 'gone.mp4', which is not there",
         '-': 'standard input', **dict.fromkeys(URLS, 'a URL')}
  server.close()


def test_kinds(odd, tmp_path):
  for name, what in odd.items():
    assert other_kind(name) == f'this is {what}'
  for name in (tmp_path, tmp_path / 'none', 'a\0b', '', 'a/b', 'C:'):
    assert other_kind(name) == ''
  assert 'File name too long' in other_kind('x' * 300)


def test_inputs_of_track(odd):
  for name, what in odd.items():
    if name in URLS[:2]:  # streams
      continue
    with pytest.raises(UserError, match=f'this is {what}; expected a video'
                       ) as error:
      open_frames(name)
    assert 'no such' not in str(error.value)


def test_benchmarks(odd):
  """Nothing waits for what a pipe may bring."""
  for name in set(odd) - {'-'}:
    for read in (load_otb, load_vot, lambda p: load_annotations('got10k', p)):
      with pytest.raises(UserError, match=r': this is .*; expected the folder'):
        read(name)


def test_an_archive_is_no_folder(tmp_path):
  path = tmp_path / 'OTB100.zip'
  path.write_bytes(b'PK')
  with pytest.raises(UserError, match=r'OTB100\.zip is not a folder'):
    load_annotations('otb', path)
