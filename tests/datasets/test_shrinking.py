"""A small copy: it fits, reads as before, and is whole or not there."""

import dataclasses
import hashlib
import json

import cv2
import numpy as np
import pytest

from siamkpn_jax.config.settings import DataConfig
from siamkpn_jax.core.errors import UnreachableError, UserError
from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.cutouts import open_library, sprites
from siamkpn_jax.datasets.shrinking import copy, fitting
from siamkpn_jax.datasets.shrinking.crops import flattened
from siamkpn_jax.datasets.shrinking.pictures import cutout_file
from tests.datasets.cutout_files import star, write_animation, write_crops
from tests.datasets.fakes import open_one
from tests.datasets.photographs import photograph, write_photograph
from tests.failing_disk import break_disk

SIDE = 511
LENGTHS = (12, 1, 5)


def write_set(folder):
  """Crops of two videos with three tracks, as of LENGTHS."""
  boxes = {}
  for track, length in enumerate(LENGTHS):
    video, name = f'v{track // 2}', f'{track % 2:02d}'
    (folder / 'crop511' / video).mkdir(parents=True, exist_ok=True)
    frames = boxes.setdefault(video, {}).setdefault(name, {})
    for k in range(length):
      frames[str(7 * k)] = [10, 20, 60 + k, 60 + 9 * track]
      write_photograph(
          folder / 'crop511' / video / f'{7 * k:06d}.{name}.x.jpg', SIDE, SIDE,
          seed=100 * track + k)
  (folder / 'train.json').write_text(json.dumps(boxes))


def write_own(folder):
  """A sequence of own data."""
  (folder / 'walk').mkdir(parents=True)
  for k in range(3):
    write_photograph(folder / 'walk' / f'{k}.jpg', 640, 480, seed=k)
  (folder / 'walk' / 'gt.txt').write_text(
      '100,80,160,90\nnan,nan,nan,nan\n130,80,60,90\n')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
  """Two sets, and folders of cut-outs and backdrops."""
  root = tmp_path_factory.mktemp('whole')
  write_set(root / 'crops')
  write_own(root / 'mine')
  write_crops(root / 'masked')
  (root / 'art' / 'deep').mkdir(parents=True)
  for points in (3, 5, 8):
    cv2.imwrite(str(root / 'art' / 'deep' / f'{points}.png'), star(240, points))
  write_animation(root / 'art' / 'moving.webp', 12)
  write_photograph(root / 'art' / 'wide.jpg', 1300, 900)
  return root


def config_of(root):
  return DataConfig(
      sets=('crops', 'mine', 'masked', 'cutouts', 'synthetic'),
      ratios=(1.0,) * 5, ranges=(3,) * 5, root=str(root),
      cutouts=('masked', 'art', 'art'))


def shrink(root, output, megabytes=9.0, reach=SIDE, quality=60, **kwargs):
  extras = kwargs.pop('extras', {})
  return {row.name: row for row in copy.make_copy(
      copy.open_material(config_of(root), reach=reach, quality=quality,
                         **kwargs),
      output, limit=int(megabytes * 1e6), extras=extras)}


def size_of(folder):
  return sum(path.stat().st_size for path in folder.rglob('*')
             if path.is_file())


def digest(folder):
  return {str(path.relative_to(folder)): hashlib.sha256(
      path.read_bytes()).hexdigest() for path in sorted(folder.rglob('*'))
      if path.is_file()}


def test_with_room_all_frames_read_as_before(root, tmp_path):
  """Same tracks, sizes and groups, and nearly the same pixels."""
  shrink(root, tmp_path / 'small', quality=95)
  before = catalog.open_sources(config_of(root), 0)
  after = catalog.open_sources(config_of(tmp_path / 'small'), 0)
  assert [s.kind for s in after[:3]] == ['crop511'] * 3
  for a, b in zip(before[:3], after[:3], strict=True):
    assert a.num_tracks == b.num_tracks
    for track in range(a.num_tracks):
      assert a.num_frames(track) == b.num_frames(track)
      for frame in range(a.num_frames(track)):
        (x, wh), (y, small_wh) = (s.read(track, frame, 431) for s in (a, b))
        np.testing.assert_allclose(small_wh, wh, atol=2e-3)
        assert cv2.absdiff(x, y).mean() < 2
  assert after[0].groups[0] == after[0].groups[1] != after[0].groups[2]
  # Scenes are of the same objects, so they look alike.
  assert after[3].num_tracks == before[3].num_tracks


def test_targets_of_a_video_stay_of_one(tmp_path):
  """None is shown where another is looked for in vain."""
  for video in 'ab':
    home = tmp_path / 'whole' / 'mine' / video
    (home / 'img1').mkdir(parents=True)
    (home / 'gt').mkdir()
    for k in (1, 2):
      write_photograph(home / 'img1' / f'{k:06d}.jpg', 320, 240, seed=k)
    (home / 'gt' / 'gt.txt').write_text(''.join(
        f'{k},{target},{40 * target},50,30,40,1,1,1\n'
        for k in (1, 2) for target in (1, 2, 3)))
  config = DataConfig(sets=('mine',), ratios=(1.0,), ranges=(1,),
                      root=str(tmp_path / 'whole'))
  copy.make_copy(copy.open_material(config, reach=SIDE, quality=60),
                 tmp_path / 'small', limit=10**7, extras={})
  for home in ('whole', 'small'):
    groups = open_one(tmp_path / home / 'mine').groups.tolist()
    assert len(groups) == 6 and len({*groups[:3]}) == len({*groups[3:]}) == 1
    assert groups[0] != groups[3]


def test_cutouts_of_the_copy(root, tmp_path):
  """All objects with their masks or alpha, all backdrops."""
  shrink(root, tmp_path / 'small')
  names = ('masked', 'art')
  before, after = (open_library([home / name for name in names])
                   for home in (root, tmp_path / 'small'))
  assert after.num_cutouts == before.num_cutouts == 1 + 4
  assert after.num_backdrops == before.num_backdrops == 4 + 1
  for k in range(after.num_cutouts):
    sprite, was = after.frames(k)[0], before.frames(k)[0]
    assert np.abs(np.subtract(sprite.shape, was.shape)).max() <= 2
    size = was.shape[1::-1]
    assert cv2.absdiff(cv2.resize(sprite, size), was).mean() < 6
  moving = next(k for k in range(after.num_cutouts)
                if len(before.frames(k)) == 12)
  assert len(after.frames(moving)) == 4
  picture = after.backdrop(after.num_backdrops - 1)
  assert abs(min(picture.shape[:2]) - 380) <= 6  # may count as padding
  assert size_of(tmp_path / 'small') < size_of(root) / 2


def test_a_cutout_without_transparent_pixels_stays_one(tmp_path):
  """WebP drops alpha that is 255 everywhere."""
  image = np.dstack([photograph(64, 64), np.full((64, 64), 255, np.uint8)])
  cv2.imwrite(str(tmp_path / 'full.png'), image)
  (tmp_path / 'full.webp').write_bytes(cutout_file(tmp_path / 'full.png', 60))
  (tmp_path / 'full.png').unlink()
  assert open_library([tmp_path]).num_cutouts == 1
  frames = sprites.decode_frames(
      (tmp_path / 'full.webp').read_bytes(), '', 24)
  *_, w, h = sprites.solid_box(frames[0][..., 3])
  assert (w, h) == (64, 64)


def test_long_tracks_lose_frames_first(root, tmp_path):
  """As many as needed, and what is left is spread over the track."""
  whole = shrink(root, tmp_path / 'whole')
  total = sum(row.size[1] for row in whole.values())
  extra = tmp_path / 'extra'
  extra.write_bytes(bytes(5000))
  limit = 0.6 * total
  rows = shrink(root, tmp_path / 'small', limit / 1e6, extras={'x': extra})
  assert 0.3 * total < size_of(tmp_path / 'small') <= limit
  assert sum(row.size[1] for row in rows.values()) == size_of(
      tmp_path / 'small')
  assert rows['crops'].frames[0] == sum(LENGTHS)
  assert rows['crops'].tracks == (3, 3) and rows['crops'].frames[1] < 12
  found = json.loads((tmp_path / 'small/crops/train.json').read_text())
  frames = sorted(map(int, found['v0']['00']))
  assert 2 <= len(frames) < 12 and frames[0] < 28 and frames[-1] > 49
  names = {path.name for path in (tmp_path / 'small/crops').rglob('*.jpg')}
  assert names == {f'{int(frame):06d}.{track}.x.jpg'
                   for tracks in found.values()
                   for track, of_track in tracks.items() for frame in of_track}
  table = copy.table(list(rows.values()), {'crops': 2.5}).splitlines()
  assert table[1].split()[:4] == ['crops', 'crop511', '2.5', '3']
  assert table[-1].split()[-1] == f'{size_of(tmp_path / "small") / 1e6:.1f}'


def test_twice_the_same(root, tmp_path):
  for name in 'ab':
    shrink(root, tmp_path / name, 0.25)
  assert digest(tmp_path / 'a') == digest(tmp_path / 'b')


def test_share_of_the_pictures(root, tmp_path):
  """Four tenths of all, and always the first."""
  rows = shrink(root, tmp_path / 'small', share=0.4)
  assert rows['art'].tracks == (5, 3) and rows['crops'].tracks == (3, 3)


def test_too_little_room_leaves_nothing(root, tmp_path):
  with pytest.raises(UserError, match=r'does not fit into 0\.001 MB; expected'):
    shrink(root, tmp_path / 'small', 0.001)
  assert not list(tmp_path.iterdir())


def test_interrupted_copy_has_no_name(root, tmp_path, monkeypatch):
  monkeypatch.setattr(copy._Copy, 'finish', lambda *_: 1 / 0)
  with pytest.raises(ZeroDivisionError):
    shrink(root, tmp_path / 'small')
  assert not list(tmp_path.iterdir())


def test_unreadable_image_is_left_out(root, tmp_path):
  write_set(tmp_path / 'whole' / 'crops')
  bad = tmp_path / 'whole/crops/crop511/v0/000007.00.x.jpg'
  bad.write_bytes(bad.read_bytes()[:3000])
  config = DataConfig(sets=('crops',), ratios=(1.0,), ranges=(1,),
                      root=str(tmp_path / 'whole'))
  row, = copy.make_copy(
      copy.open_material(config, reach=SIDE, quality=60), tmp_path / 'small',
      limit=10**7, extras={})
  assert row.frames == (sum(LENGTHS), sum(LENGTHS) - 1)
  source = open_one(tmp_path / 'small' / 'crops')
  assert source.num_frames(0) == LENGTHS[0] - 1 and not source.dropped.counts


@pytest.mark.parametrize('name', ['000007.00.x.jpg', '5.png', '2.jpg'])
def test_a_disk_that_fails_ends_it(root, tmp_path, monkeypatch, name):
  """What it hides is no damaged file, to be left out for good."""
  break_disk(monkeypatch, name)
  with pytest.raises(UnreachableError, match='Input/output error'):
    shrink(root, tmp_path / 'small')
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('reach', [255, 415, 431, 509, SIDE])
def test_outside_of_the_reach_is_flat(reach):
  """The patch is as it was, also after compression; the rim costs nothing."""
  image = photograph(SIDE, SIDE)
  out = flattened(image, reach)
  low = (SIDE - reach) // 2
  inside = np.s_[low:SIDE - low, low:SIDE - low]
  np.testing.assert_array_equal(out[inside], image[inside])
  encode = lambda x: cv2.imencode('.jpg', x, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
  decoded = [cv2.imdecode(encode(x), 1)[inside] for x in (image, out)]
  # Chroma of the next block is blended in at the edge.
  core = np.s_[2:-2, 2:-2]
  np.testing.assert_array_equal(decoded[0][core], decoded[1][core])
  if reach <= 431:
    assert (out[:16] == out[0, 0]).all() and (out[:, -15:] == out[0, 0]).all()
    assert len(encode(out)) < len(encode(image))
  else:
    assert reach > 479 and (out == image).all()


def test_frames_are_spread_evenly():
  assert fitting.evenly(9, 3) == [1, 4, 7]
  assert fitting.evenly(5, 1) == [2]
  for length in range(1, 30):
    assert fitting.evenly(length, 40) == list(range(length))
    for count in range(1, length + 1):
      found = np.array(fitting.evenly(length, count))
      assert len(set(found)) == count
      # No frame is farther from a kept one than half a part, rounded up.
      distance = np.abs(np.arange(length)[:, None] - found).min(axis=1)
      assert distance.max() <= -(-length // (2 * count))


def test_limit_is_the_mean_of_long_tracks():
  lengths = [100] * 1000
  for limit in (0.02, 0.5, 1.0, 2.25, 7.9):
    mean = np.mean([len(x) for x in fitting.kept(lengths, limit)])
    assert mean == pytest.approx(limit, abs=2e-3)
  counts = [[len(x) for x in fitting.kept([9, 2, 4, 1], limit)]
            for limit in np.linspace(0, 10, 101)]
  assert (np.diff(counts, axis=0) >= 0).all()
  assert counts[0] == [1, 0, 0, 0] and counts[-1] == [9, 2, 4, 1]


@pytest.mark.parametrize('true', [0.004, 0.3, 0.999, 1.0, 1.7, 6.2, 40])
def test_largest_limit(true):
  asked = []
  found = fitting.largest(lambda x: asked.append(x) or x <= true, 20)
  assert min(true, 20) / 1.03 <= found <= true and found <= 20
  assert len(asked) < 20
  assert max(asked) <= max(1, 2 * true)


def test_no_limit_fits():
  assert fitting.largest(lambda _: False, 20) is None


@pytest.fixture
def run(command):
  return lambda root, output, *flags: command(
      'shrink', '--config=demo', f'--config.data.root={root}',
      "--config.data.sets=('crops',)", f'--output={output}', *flags)


def test_command(run, root, tmp_path):
  """A table, and how to train; weights lie beside the sets."""
  weights = 'siamkpn_jax/weights/kpn3s_nano.safetensors'
  done = run(root, tmp_path / 'small', f'--config.model.weights={weights}')
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  assert lines[1].split()[:2] == ['crops', 'crop511']
  path = tmp_path / 'small' / 'weights.safetensors'
  assert lines[-1].endswith(f'--config.model.weights={path}')
  assert path.stat().st_size > 10**6
  again = run(root, tmp_path / 'small')
  assert again.returncode == 2 and 'already exists' in again.stderr
  assert again.stderr.count('\n') == 1


def test_command_without_the_set(run, tmp_path):
  done = run(tmp_path, tmp_path / 'small')
  assert done.returncode == 2 and done.stderr.count('\n') == 1
  assert 'no data set; expected images' in done.stderr


@pytest.mark.realdata
def test_real_sets(real_data, tmp_path):
  """Video tracks and masked stills, a tenth of their size."""
  names = ('davis16val', 'dreambooth')
  config = DataConfig(
      sets=(*names, 'cutouts'), ratios=(1.0,) * 3, ranges=(9,) * 3,
      cutouts=names, root=str(real_data / 'train'))
  before = catalog.open_sources(config, 0)
  rows = copy.make_copy(
      copy.open_material(config, reach=431, quality=60), tmp_path / 'small',
      limit=10**6, extras={})
  assert 0.8e6 < size_of(tmp_path / 'small') <= 1e6
  config = dataclasses.replace(config, root=str(tmp_path / 'small'))
  after = catalog.open_sources(config, 0)
  for a, b, row in zip(before, after[:2], rows, strict=False):
    assert a.num_tracks == b.num_tracks == row.tracks[1]
    assert b.total_frames == row.frames[1] < a.total_frames
    for track in range(b.num_tracks):
      image, wh = b.read(track, 0, 431)
      assert image.std() > 1 and 20 < wh.min() <= wh.max() < 250
  assert after[2].num_tracks == before[2].num_tracks
