"""Packing: the same crops, resumed, damaged, in a pipeline."""

import errno
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from etils import epath

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_lock import file_lock
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.packed_source import PackedSource
from tests.datasets.fakes import open_one
from tests.datasets.photographs import write_photograph
from tests.failing_disk import break_disk
from tests.optional import import_or_skip

tf = import_or_skip('tensorflow', 'needs pip install .[tf]')
import_or_skip('tensorflow_datasets', 'needs pip install .[tf]')
from siamkpn_jax.datasets.packing import pack  # noqa: E402

# TFDS's own, when it opens a part that is there.
pytestmark = pytest.mark.filterwarnings(
    'ignore:label:DeprecationWarning')
TRACKS = (5, 7, 3)


@pytest.fixture
def folder(tmp_path):
  """Own data: three sequences, one image of which is damaged."""
  root = tmp_path / 'raw' / 'mine'
  for track, count in enumerate(TRACKS):
    home = root / f'v{track}'
    home.mkdir(parents=True)
    for k in range(count):
      write_photograph(home / f'{k}.jpg', 320, 240, seed=10 * track + k)
    (home / 'gt.txt').write_text(''.join(
        f'{40 + 9 * k},{30 + 5 * k},{50 + k},{60 - k}\n' for k in range(count)))
  damaged = root / 'v1' / '4.jpg'
  damaged.write_bytes(damaged.read_bytes()[:900])
  return root


def pack_here(folder, output, **kwargs):
  """As the command, without starting Python and TensorFlow again."""
  return pack.pack(folder, epath.Path(output),
                   **({'part_frames': 4, 'quality': 95} | kwargs))


def record_files(output):
  return {path: path.stat().st_mtime_ns
          for path in sorted(output.rglob('*.tfrecord-*'))}


def assert_same_crops(output, folder):
  """The packed set gives what the raw one gives, but for JPEG's losses."""
  raw = catalog.open_images(folder.name, folder)
  packed = PackedSource('mine', str(output / 'mine'))
  lengths = [packed.num_frames(k) for k in range(packed.num_tracks)]
  assert lengths == [5, 6, 3]  # without the damaged one
  assert packed.dropped.counts['frames: image cannot be read'] == 1
  assert packed.dropped.examples['frames: image cannot be read'] == 'v1/4.jpg'
  for track, count in enumerate(lengths):
    for position in range(count):
      in_raw = position + (track == 1 and position >= 4)
      a, a_wh = raw.read(track, in_raw, 431)
      b, b_wh = packed.read(track, position, 431)
      np.testing.assert_allclose(a_wh, b_wh, rtol=1e-6)
      error = np.abs(a.astype(int) - b)
      assert error.mean() < 2 and np.quantile(error, 0.99) <= 12


@pytest.fixture
def packed(folder, tmp_path):
  pack_here(folder, tmp_path / 'packed')
  return tmp_path / 'packed'


def test_same_crops_and_readable_by_tfds(packed, folder):
  """All parts together are a TFDS data set as well."""
  assert_same_crops(packed, folder)
  assert catalog.find_kind('mine', packed / 'mine') == 'packed'
  import tensorflow_datasets as tfds
  parts = sorted((packed / 'mine' / 'siamkpn_crops').glob('*/1.0.0'))
  assert len(parts) == 4
  examples = list(tfds.as_numpy(tfds.builder_from_directories(
      parts).as_dataset(split='train')))
  assert {e['file'].decode() for e in examples} == {
      f'v{track}/{k}.jpg' for track, count in enumerate(TRACKS)
      for k in range(count)}
  assert all(e['image'].shape == (511, 511, 3) for e in examples)


@pytest.mark.parametrize('how', [
    'flipped', 'cut', 'missing', 'siamkpn_records.npz', 'dataset_info.json',
    'features.json'])
def test_damage_is_repaired(packed, folder, how, capsys):
  """Only the damaged part is made again; --verify sees a flipped bit."""
  before = record_files(packed)
  victim = list(before)[1]
  if how == 'flipped':
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 4
    victim.write_bytes(data)
  elif how == 'cut':
    victim.write_bytes(victim.read_bytes()[:-5])
  elif how == 'missing':
    victim.unlink()
  else:
    victim.with_name(how).write_bytes(b'{"na')
  pack_here(folder, packed, verify=how == 'flipped')
  err = capsys.readouterr().err
  assert 'rebuilding it' in err and 'part_00001_of_00004' in err
  after = record_files(packed)
  assert after.keys() == before.keys()
  assert [p for p in after if after[p] != before[p]] == [victim]
  assert_same_crops(packed, folder)


@pytest.mark.parametrize(('name', 'array'), [
    ('frames', np.array([4, 5, 6, 8])), ('wh', np.zeros((4, 3), 'f4')),
    ('files', np.array(['/dev/null'])), ('offsets', np.full(4, 2**40))])
def test_a_part_whose_records_do_not_fit_is_made_again(packed, folder, name,
                                                       array, capsys):
  path = list(record_files(packed))[1].with_name('siamkpn_records.npz')
  with np.load(path) as content:
    np.savez(path, **dict(content) | {name: array})
  pack_here(folder, packed)
  assert 'part_00001_of_00004/1.0.0: damaged' in capsys.readouterr().err
  assert_same_crops(packed, folder)


def test_goes_on_after_a_kill(folder, tmp_path):
  """What was whole is not written again."""
  output = tmp_path / 'packed'
  process = subprocess.Popen(
      [sys.executable, '-m', 'siamkpn_jax.pack', f'--set={folder}',
       f'--output={output}', '--part_frames=1'],
      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
  deadline = time.monotonic() + 120
  try:
    # Not rglob, which fails if a folder goes while it looks.
    while sum('siamkpn_records.npz' in names
              for _, _, names in os.walk(output)) < 3:
      assert process.poll() is None and time.monotonic() < deadline
      time.sleep(0.01)
  finally:
    process.kill()
    process.wait()
  whole = [p.with_name('dataset_info.json').stat().st_mtime_ns
           for p in sorted(output.rglob('siamkpn_records.npz'))]
  assert not (output / 'mine' / 'siamkpn_index.npz').exists()
  pack_here(folder, output, part_frames=1)
  again = [p.with_name('dataset_info.json').stat().st_mtime_ns
           for p in sorted(output.rglob('siamkpn_records.npz'))]
  assert again[:len(whole)] == whole and len(again) == sum(TRACKS)
  assert not list(output.rglob('*incomplete*'))
  assert_same_crops(output, folder)


def test_images_that_come_back(packed, folder):
  """Also when none at all could be read, as while a disk was away."""
  good = {path: path.read_bytes() for path in folder.rglob('*.jpg')}
  write_photograph(folder / 'v1' / '4.jpg', 320, 240, seed=14)
  assert len(pack_here(folder, packed).wh) == 15
  for path in good:
    path.write_bytes(b'')
  other = packed.with_name('[other]')  # brackets, which are no pattern here
  with pytest.raises(UserError, match='no image of the data set can be read'):
    pack_here(folder, other)
  with pytest.raises(UserError, match='packing is not finished'):
    open_one(other / 'mine')
  for path, data in good.items():
    path.write_bytes(data)
  pack_here(folder, other)
  assert_same_crops(other, folder)


def test_second_packing_is_kept_out(packed, folder):
  with (file_lock(packed / 'mine' / '.siamkpn_lock', 'held already'),
        pytest.raises(UserError, match='another process is packing it')):
    pack_here(folder, packed)
  pack_here(folder, packed)


@pytest.mark.parametrize('text', [
    'runnr=DirectRunner', 'runner=FlnkRunner', 'runner',
    'direct_num_workers=x'])
def test_wrong_beam_options(folder, tmp_path, text):
  """Before anything is written."""
  import_or_skip('apache_beam', 'needs pip install .[beam]')
  with pytest.raises(UserError, match='beam_pipeline_options=') as info:
    pack_here(folder, tmp_path / 'packed', beam_options=text)
  assert '\n' not in str(info.value)
  assert not (tmp_path / 'packed').exists()


def test_beam_pipeline(folder, tmp_path):
  import_or_skip('apache_beam', 'needs pip install .[beam]')
  output = tmp_path / 'packed'
  pack_here(folder, output, beam_options='runner=DirectRunner')
  assert_same_crops(output, folder)


def _fails_with(monkeypatch, place, error):
  def fail(*args, **kwargs):
    raise error
  monkeypatch.setattr(place, fail)


@pytest.mark.parametrize('beam', ['', 'runner=DirectRunner'])
@pytest.mark.parametrize('error', [
    OSError(errno.ENOSPC, 'No space left on device'),
    AttributeError('a bug'), MemoryError('Unable to allocate')])
def test_why_it_failed(folder, tmp_path, monkeypatch, beam, error):
  """A full disk is told; a bug and a full memory are no story about it."""
  if beam:
    import_or_skip('apache_beam', 'needs pip install .[beam]')
  _fails_with(monkeypatch, 'siamkpn_jax.datasets.packing.builder._example',
              error)
  full = isinstance(error, OSError)
  with pytest.raises(Exception, match=str(error.args[-1])) as caught:
    pack_here(folder, tmp_path / 'packed', beam_options=beam)
  assert isinstance(caught.value, UserError) == full
  assert ('packing failed' in str(caught.value)) == full


@pytest.mark.parametrize('place', [
    'tensorflow_datasets.builder_from_directory',
    'siamkpn_jax.datasets.packing.pack.Records.from_bytes'])
@pytest.mark.parametrize('error', [
    OSError(errno.ESTALE, 'Stale file handle'), MemoryError(), NameError('x'),
    tf.errors.UnavailableError(None, None, 'storage is away')])
def test_parts_are_kept_where_the_disk_fails(packed, folder, monkeypatch,
                                             place, error):
  before = record_files(packed)
  _fails_with(monkeypatch, place, error)
  with pytest.raises((OSError, MemoryError, NameError, UserError)):
    pack_here(folder, packed)
  assert record_files(packed) == before


def test_crops_are_kept_as_they_are(tmp_path):
  """The bytes of crop511 files, not encoded once more."""
  folder = tmp_path / 'raw' / 'crops'
  (folder / 'crop511' / 'v').mkdir(parents=True)
  for k in range(3):
    write_photograph(folder / 'crop511' / 'v' / f'{k:06d}.00.x.jpg', 511, 511,
                     seed=k)
  (folder / 'crop511' / 'w').mkdir()
  write_photograph(folder / 'crop511' / 'w' / '000000.00.x.jpg', 511, 511,
                   seed=9)
  (folder / 'crop511' / 'v' / '000007.01.x.jpg').write_bytes(b'no picture')
  (folder / 'train.json').write_text(json.dumps(
      {'v': {'00': {'0': [0, 0, 30, 40], '1': [0, 0, 30, 40]},
             '01': {'7': [0, 0, 30, 40]}, '02': {'2': [0, 0, 30, 40]}},
       'w': {'00': {'0': [0, 0, 30, 40]}}}))
  (folder / 'crop511' / 'v' / '000002.00.x.jpg').rename(
      folder / 'crop511' / 'v' / '000002.02.x.jpg')
  pack_here(folder, tmp_path / 'packed')
  source = PackedSource('crops', str(tmp_path / 'packed' / 'crops'))
  assert source.num_tracks == 3  # without the one that cannot be read
  a, b, c = source.groups
  assert a == b != c  # two tracks of one video are no certain negatives
  for k in range(2):
    path = folder / 'crop511' / 'v' / f'{k:06d}.00.x.jpg'
    assert source.load(0, k).data == path.read_bytes()


def test_a_disk_that_fails_is_no_damage(folder, tmp_path, monkeypatch):
  break_disk(monkeypatch, '3.jpg')
  with pytest.raises(UserError, match=r'3\.jpg: .*Input/output error'):
    pack_here(folder, tmp_path)


def test_the_command(command, folder, tmp_path):
  """Its last line says what there is; a mistake is one line."""
  flags = (f'--set={folder}', f'--output={tmp_path / "packed"}',
           '--part_frames=4')
  done = command('pack', *flags)
  assert done.returncode == 0, done.stderr
  assert 'train with --config.data.root=' in done.stdout.splitlines()[-1]
  assert 'image cannot be read 1 (first: v1/4.jpg)' in done.stdout
  done = command('pack', *flags, '--quality=50')
  assert done.returncode == 2 and 'from other data' in done.stderr
  assert len(done.stderr.strip().splitlines()) == 1


def test_refusals(packed, folder, tmp_path):
  """Nothing is touched."""
  before = record_files(packed)
  for where, output, message in (
      (tmp_path / 'none', packed, 'none: no data set'),
      (packed / 'mine', packed, 'already packed'),
      (folder, folder.parent, 'is the data set itself')):
    with pytest.raises(UserError, match=message):
      pack_here(where, output)
  time.sleep(0.01)
  (folder / 'v2' / 'gt.txt').write_text('1,1,20,20\n' * 3)
  with pytest.raises(UserError, match='from other data'):
    pack_here(folder, packed)
  (folder.parent / 'other' / 'mine').mkdir(parents=True)
  (folder.parent / 'other' / 'mine' / 'a').write_text('of somebody')
  with pytest.raises(UserError, match='not a packed data set'):
    pack_here(folder, folder.parent / 'other')
  (packed / 'mine' / 'siamkpn_plan.json').write_text('{"dig')
  with pytest.raises(UserError, match='other data'):
    pack_here(folder, packed)
  assert record_files(packed) == before


def test_full_disk(folder, tmp_path):
  """The message says what to do; the same command goes on."""
  done = subprocess.run(  # a limit of file sizes stands for a full disk
      ['bash', '-c', f'ulimit -f 20; {sys.executable} -m siamkpn_jax.pack '
       f'--set={folder} --output={tmp_path / "packed"} --part_frames=4'],
      capture_output=True, text=True, check=False, timeout=300)
  assert done.returncode == 2, done.stderr
  assert 'Traceback' not in done.stderr and 'enough space' in done.stderr
  assert not record_files(tmp_path / 'packed')
  pack_here(folder, tmp_path / 'packed')
  assert_same_crops(tmp_path / 'packed', folder)
