"""The command that shows what training would see."""

import functools
import json
import shutil

import cv2
import numpy as np
import pytest


@pytest.fixture
def run(command):
  return functools.partial(command, 'inspect', '--config=demo')


def use(folder, name):
  return (f'--config.data.root={folder}', f"--config.data.sets=('{name}',)")


@pytest.fixture
def own(tmp_path):
  """A folder of one's own with one sequence, one bad box."""
  rng = np.random.default_rng(0)
  folder = tmp_path / 'mine' / 'walk'
  folder.mkdir(parents=True)
  for k in range(4):
    image = cv2.resize(rng.integers(90, 160, (6, 8, 3), np.uint8), (320, 240))
    cv2.rectangle(image, (100, 80), (175, 125), (0, 0, 255), -1)
    cv2.imwrite(str(folder / f'{k:04d}.jpg'), image)
  (folder / 'groundtruth.txt').write_text(
      '100,80,76,46\n100,80,76,46\nnan,nan,nan,nan\n100,80,76,46\n')
  return tmp_path


def test_table_and_picture(run, own, tmp_path):
  done = run(*use(own, 'mine'), f'--output={tmp_path / "pairs.png"}',
             '--pairs=3')
  assert done.returncode == 0, done.stderr
  row = next(line for line in done.stdout.splitlines() if 'mine' in line)
  assert row.split()[1:4] == ['folder', '1', '3']
  assert 'box is not a number 1 (first: ' in row
  sheet = cv2.imread(str(tmp_path / 'pairs.png'))
  # Two rows of two pairs, each with template, search crop and three heatmaps.
  assert sheet.shape == (2 * 259, 2 * 5 * 259, 3)
  assert sheet[:255, 259:514].std() > 10  # a search crop
  assert (sheet[259:, 5 * 259:] == 255).all()  # no fourth pair


def pictures(path, count):
  """(search crop, its heatmaps) of each pair of a sheet."""
  sheet = cv2.imread(str(path)).astype(int)
  for k in range(count):
    top, left = 259 * (k // 2), 5 * 259 * (k % 2)
    row = [sheet[top:top + 255, x:x + 255]
           for x in range(left, left + 5 * 259, 259)]
    yield row[1], row[2:]


def extent(mask):
  """First and last column, first and last row of what is True."""
  rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
  return np.array([cols[0], cols[-1], rows[0], rows[-1]])


def is_green(picture):
  """Where something is drawn, or written."""
  return (picture[..., 1] > 190) & (picture[..., ::2] < 120).all(-1)


@functools.cache
def levels():
  """0..255 by what the color map adds to green - blue and to red - green."""
  jet = cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_JET)
  known = np.diff(jet[:, 0].astype(np.int16)) // 2  # 256 x 2
  far = [np.abs(np.arange(-128, 129) - axis[:, None]) for axis in known.T]
  return (far[0][:, :, None] + far[1][:, None]).argmin(0)


def heat(picture):
  """0..255 of each pixel, by its color; the gray crop below has none."""
  below, above = np.moveaxis(np.diff(picture), -1, 0) + 128
  return levels()[below, above]


def test_outline_and_heatmaps_lie_on_the_target(run, own, tmp_path):
  """It is red, at another place and of another size in every crop."""
  done = run(*use(own, 'mine'), f'--output={tmp_path / "pairs.png"}',
             '--pairs=6', '--config.data.gray_fraction=0')
  assert done.returncode == 0, done.stderr
  places = []
  for search, heatmaps in pictures(tmp_path / 'pairs.png', 6):
    red = extent((search[..., 2] > 200) & (search[..., :2] < 60).all(-1))
    inner = (red - extent(is_green(search))) * [1, -1, 1, -1]
    assert (inner >= 1).all() and (inner <= 3).all()  # two pixels of outline
    center = (red[::2] + red[1::2]) / 2  # x, y
    places.append(center)
    cell = 7 + 8 * np.round((center - 7) / 8)
    for heatmap in heatmaps:
      found = heat(heatmap)
      y, x = np.unravel_index(found.argmax(), found.shape)
      assert found[y, x] > 240
      assert np.abs([x, y] - cell).max() <= 1
  assert np.ptp(places, axis=0).min() > 30


def test_negative_pairs_are_marked(run, own, tmp_path):
  """By a word in the corner; there is nothing to outline, and no heat."""
  shutil.copytree(own / 'mine' / 'walk', own / 'mine' / 'run')
  for fraction in (0, 1):
    done = run(*use(own, 'mine'), f'--output={tmp_path / "pairs.png"}',
               '--pairs=2', '--config.data.gray_fraction=0',
               f'--config.data.negative_fraction={fraction}')
    assert done.returncode == 0, done.stderr
    for search, heatmaps in pictures(tmp_path / 'pairs.png', 2):
      green = is_green(search)
      assert green[:26, :90].any() == fraction
      green[:26, :90] = False
      assert green.any() != fraction
      hot = [heat(heatmap).max() > 200 for heatmap in heatmaps]
      assert hot == [not fraction] * 3


def test_table_alone(run, own):
  done = run(*use(own, 'mine'), '--output=')
  assert done.returncode == 0 and 'wrote' not in done.stdout


@pytest.mark.parametrize(('name', 'message'), [
    ('nothing', 'data sets not found: nothing'),
    ('empty', 'data sets not found: empty')])
def test_not_there(run, own, name, message):
  (own / 'empty').mkdir()
  done = run(*use(own, name))
  assert done.returncode == 2 and done.stderr.startswith(f'error: {message}')
  assert done.stderr.count('\n') == 1


def test_annotations_of_another_set(run, own):
  (own / 'coco' / 'annotations').mkdir(parents=True)
  (own / 'coco' / 'annotations' / 'instances_train2017.json').write_text(
      json.dumps({'images': [], 'annotations': [], 'categories': []}))
  done = run(*use(own, 'coco'))
  assert done.returncode == 2
  assert 'no usable frame for coco; expected' in done.stderr
  assert done.stderr.count('\n') == 1
