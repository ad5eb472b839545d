"""Which changes of a checkpoint's files are noticed."""

import json

import pytest

from siamkpn_jax.checkpoints import checksums

GIVEN = {'config': {'levels': ('layer2',), 'lr': 0.1}, 'git_revision': None}
FILES = {'model/d/abc': bytes(range(256)), 'model/_METADATA': b'{}',
         'training/d/0': b''}


@pytest.fixture
def folder(tmp_path):
  for name, data in FILES.items():
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(data)
  # Orbax writes its file later, or writes it again.
  (tmp_path / '_CHECKPOINT_METADATA').write_text('{"custom_metadata": null}')
  checksums.write(tmp_path, GIVEN)
  write_metadata(tmp_path, GIVEN)
  return tmp_path


def write_metadata(folder, given):
  (folder / '_CHECKPOINT_METADATA').write_text(json.dumps(
      {'commit_timestamp_nsecs': 5, 'custom_metadata': given}))


def test_unchanged(folder):
  assert checksums.damage(folder) == ''


def test_changed_metadata_is_noticed(folder):
  write_metadata(folder, {'config': {'levels': ['layer3']}})
  assert checksums.damage(folder) == (
      '_CHECKPOINT_METADATA is not as it was written')


@pytest.mark.parametrize('name', FILES)
@pytest.mark.parametrize('change', [
    lambda data: data + b'\0', lambda data: data[:-1] or b'0',
    lambda data: bytes([255 - byte for byte in data]) or b'0'])
def test_changed_bytes_are_noticed(folder, name, change):
  path = folder / name
  path.write_bytes(change(path.read_bytes()))
  assert checksums.damage(folder) == f'{name} is not as it was written'


def test_every_single_bit_is_noticed(folder):
  path = folder / 'model/d/abc'
  data = path.read_bytes()
  for bit in range(8 * len(data)):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    assert checksums.damage(folder)
  path.write_bytes(data)
  assert not checksums.damage(folder)


def test_missing_file_is_named(folder):
  (folder / 'model/d/abc').unlink()
  assert checksums.damage(folder) == (
      'model/d/abc: No such file or directory')


def test_no_list(folder):
  """Every checkpoint has one."""
  (folder / checksums.NAME).unlink()
  assert checksums.damage(folder) == (
      f'{checksums.NAME}: No such file or directory')
