"""Output files: whole or not at all, checked before the work."""

import os
from pathlib import Path

import pytest

from siamkpn_jax.core.atomic_io import (
  atomic_paths,
  check_distinct,
  check_output,
  remove_leftovers,
)
from siamkpn_jax.core.errors import UserError


def test_atomic_paths_appear_together(tmp_path: Path) -> None:
  old, new = tmp_path / 'old.txt', tmp_path / 'a' / 'b' / 'new.txt'
  old.write_text('before')
  with atomic_paths([old, new]) as partial:
    for path in (old, new):
      partial[path].write_text('after')
      assert partial[path].suffix == '.txt'
    assert old.read_text() == 'before' and not new.exists()
  assert old.read_text() == new.read_text() == 'after'
  assert sorted(p.name for p in tmp_path.rglob('*.txt')) == [
      'new.txt', 'old.txt']


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
def test_atomic_paths_leave_nothing_on_error(
    tmp_path: Path, error: type[BaseException]) -> None:
  path = tmp_path / 'out.txt'
  path.write_text('before')
  with pytest.raises(error), atomic_paths([path]) as partial:
    partial[path].write_text('half')
    raise error
  assert path.read_text() == 'before'
  assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_a_killed_process(tmp_path: Path) -> None:
  """Those of the file alone are removed."""
  path = tmp_path / 'report.html'
  with atomic_paths([path]) as partial:
    partial[path].write_text('half')
    os.link(partial[path], tmp_path / 'kept')
    left = partial[path].name
    partial[path].write_text('whole')
  os.link(tmp_path / 'kept', tmp_path / left)
  others = ['.report.html', '.report.old.html', left.replace('report', 'other')]
  for name in others:
    (tmp_path / name).write_text('')
  remove_leftovers(path)
  assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
      [*others, 'kept', 'report.html'])


def test_check_output(tmp_path: Path) -> None:
  path = tmp_path / 'x' / 'y' / 'out.MP4'
  assert check_output(path, '--output', suffixes=('.mp4',)) == path
  assert check_output(None, '--output') is None
  assert not path.parent.exists()  # checking makes nothing
  os.mkfifo(tmp_path / 'pipe')
  with pytest.raises(UserError, match='not a regular file'):
    check_output(tmp_path / 'pipe', '--boxes')


@pytest.mark.parametrize('name', ['a\0b', 'a\ud800'])
def test_check_distinct_of_what_is_no_name(name: str) -> None:
  with pytest.raises(UserError, match='--output .*no file can have this name'):
    check_distinct({'--output': name})


def test_check_distinct_sees_through_links(tmp_path: Path) -> None:
  (tmp_path / 'a').write_text('')
  (tmp_path / 'b').symlink_to('a')
  check_distinct({'--input': tmp_path / 'a', '--output': None, '--boxes': ''})
  with pytest.raises(UserError, match='same file as --input'):
    check_distinct({'--input': tmp_path / 'a', '--output': tmp_path / 'b'})
