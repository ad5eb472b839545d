"""The command that shows what training would see."""

import functools
import json

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
    image = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (320, 240))
    cv2.rectangle(image, (100, 80), (160, 140), (0, 0, 255), -1)
    cv2.imwrite(str(folder / f'{k:04d}.jpg'), image)
  (folder / 'groundtruth.txt').write_text(
      '100,80,60,60\n100,80,60,60\nnan,nan,nan,nan\n100,80,60,60\n')
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
