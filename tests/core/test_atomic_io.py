"""Output files: whole or not at all, checked before the work."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from siamkpn_jax.core.atomic_io import (
  UNFINISHED,
  atomic_folder,
  atomic_paths,
  check_distinct,
  check_new_folder,
  check_output,
  file_errors,
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


@pytest.fixture(params=[0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
  before = os.umask(request.param)
  yield
  os.umask(before)


@pytest.mark.parametrize('there', [False, True])
def test_atomic_folder_appears_whole(
    tmp_path: Path, umask: None, there: bool) -> None:
  """Others may read it where they may read what is made in the usual way."""
  folder, usual = tmp_path / 'a' / 'b', tmp_path / 'usual'
  usual.mkdir()
  if there:
    folder.mkdir(parents=True)
  with atomic_folder(folder) as partial:
    (partial / 'one').write_text('1')
    assert partial.parent == folder.parent
    assert partial.name.startswith(UNFINISHED)
    assert folder.exists() == there
    assert not there or not list(folder.iterdir())
  assert list(folder.parent.iterdir()) == [folder]
  assert [path.name for path in folder.iterdir()] == ['one']
  assert folder.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize('there', [False, True])
def test_atomic_folder_leaves_nothing_on_error(
    tmp_path: Path, error: type[BaseException], there: bool) -> None:
  folder = tmp_path / 'out'
  if there:
    folder.mkdir()
  with pytest.raises(error), atomic_folder(folder) as partial:
    (partial / 'half').mkdir()
    raise error
  assert list(tmp_path.rglob('*')) == [folder] * there


def test_atomic_folder_takes_no_place_of_files(tmp_path: Path) -> None:
  """Also not of those that came while it was filled."""
  folder = tmp_path / 'out'
  with (pytest.raises(UserError, match='out: cannot be written'),
        atomic_folder(folder) as partial):
    (partial / 'new').write_text('')
    folder.mkdir()
    (folder / 'old').write_text('')
  assert sorted(tmp_path.rglob('*')) == [folder, folder / 'old']
  with (pytest.raises(UserError, match='cannot be written'),
        atomic_folder(folder / 'old' / 'x')):
    pass
  assert sorted(tmp_path.rglob('*')) == [folder, folder / 'old']


def test_atomic_folder_in_the_place_of_an_empty_one(
    tmp_path: Path, monkeypatch) -> None:
  """Also by a link, which stays one, and of the working folder."""
  for name in 'ab':
    (tmp_path / name).mkdir()
  (tmp_path / 'link').symlink_to(tmp_path / 'a')
  (tmp_path / 'dangling').symlink_to(tmp_path / 'c')
  monkeypatch.chdir(tmp_path / 'b')
  for folder in (tmp_path / 'link', tmp_path / 'dangling', Path('.')):
    with atomic_folder(folder) as partial:
      (partial / 'new').write_text('')
  assert (tmp_path / 'link').is_symlink()
  for name in 'abc':
    assert [path.name for path in (tmp_path / name).iterdir()] == ['new']


def test_a_mounted_disk_is_no_new_folder(tmp_path: Path, monkeypatch) -> None:
  monkeypatch.setattr(os.path, 'ismount', lambda path: path == tmp_path)
  with pytest.raises(UserError, match='mounted there.*name one in it'):
    check_new_folder(tmp_path, '--output')


def test_check_new_folder(tmp_path: Path) -> None:
  full, empty = tmp_path / 'full', tmp_path / 'empty'
  full.mkdir()
  empty.mkdir()
  (full / 'file').write_text('')
  check_new_folder(tmp_path / 'x' / 'y', '--output')
  check_new_folder(empty, '--output')
  assert sorted(tmp_path.rglob('*')) == [empty, full, full / 'file']
  for taken in (full, full / 'file'):
    with pytest.raises(UserError, match=f'--output {taken}: already exists'):
      check_new_folder(taken, '--output')
  with pytest.raises(UserError, match='file is not a writable folder'):
    check_new_folder(full / 'file' / 'x', '--output')


def test_file_errors(tmp_path: Path) -> None:
  """Of the system they name path and reason; a bug stays what it is."""
  path = tmp_path / 'out'
  with (pytest.raises(UserError, match='out: cannot be written .No space left'),
        file_errors(path)):
    raise OSError(errno.ENOSPC, 'No space left on device')
  with pytest.raises(ValueError, match='a bug'), file_errors(path):
    raise ValueError('a bug')


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
