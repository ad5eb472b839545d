"""Names that `python -m siamkpn_jax.track` gives to what it writes."""

import argparse
import contextlib
from pathlib import Path

import numpy as np
import pytest

from siamkpn_jax import track
from siamkpn_jax.cli import track_outputs
from siamkpn_jax.tracking import load as tracking
from tests.cli.stand_in import BOX, StandIn, files, make_folder


def test_without_outputs_names_are_those_of_the_input(
    tmp_path, monkeypatch, capsys) -> None:
  make_folder(tmp_path / 'walk', [np.zeros((48, 64, 3), np.uint8)] * 3, '.png')
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(tracking, 'load_tracker', StandIn)
  for mark in ('', '_2'):
    assert track.main(['walk', '--box', BOX, '--weights=any']) == 0
    assert f'wrote walk_tracked{mark}.csv\n' in capsys.readouterr().out
  assert files(tmp_path / '.')[:4] == [
      'walk/1.png', 'walk/2.png', 'walk/3.png', 'walk_tracked.csv']


@pytest.mark.parametrize(('video', 'name'), [
    ('a/walk.mp4', 'walk'), ('shots/00[0-4]*.jpg', 'shots'), ('*.png', 'here'),
    ('a/take*/b/?.png', 'a'), ('2', 'camera2'), ('/dev/video2', 'video2'),
    ('a/2.mp4', '2'), ('.', 'here'), ('a b/', 'a_b'),
    ('rtsp://host/cam 1', 'cam_1'), ('http://host:80/', 'video')])
def test_names_of_outputs(tmp_path, monkeypatch, video, name) -> None:
  (tmp_path / 'here').mkdir()
  monkeypatch.chdir(tmp_path / 'here')
  with track_outputs.default_names(video) as names:
    assert names == (f'{name}_tracked.mp4', f'{name}_tracked.csv')


@pytest.mark.parametrize(('kind', 'suffix'), [
    ('csv', '.csv'), ('json', '.json'), ('mot', '.txt'), ('otb', '.txt'),
    ('cvat', '.xml'), ('label_studio', '.json'), ('coco_video', '.json')])
def test_names_of_outputs_fit_the_format(
    tmp_path, monkeypatch, kind, suffix) -> None:
  monkeypatch.chdir(tmp_path)
  args = argparse.Namespace(
      output=None, boxes=None, show=False, format=kind, fps=None,
      boxes_from=None, heatmaps=False, long_term=False)
  with track_outputs.chosen(args, 'walk.avi') as outputs:
    assert outputs.boxes == Path(f'walk_tracked{suffix}')


def test_runs_at_once_choose_other_names(tmp_path, monkeypatch) -> None:
  """Whatever one has not written yet; nothing is left of their choice."""
  monkeypatch.chdir(tmp_path)
  choose = lambda: track_outputs.default_names('walk.avi')
  with choose() as first, choose() as second:
    assert first[0] == 'walk_tracked.mp4' and second[0] == 'walk_tracked_2.mp4'
    Path(first[0]).touch()
    with choose() as third:
      assert third[1] == 'walk_tracked_3.csv'
    with track_outputs.default_names('walk.avi', 'cvat') as third:
      assert third == ('walk_tracked_3.mp4', 'walk_tracked_3.xml')
  with choose() as names:
    assert names[1] == 'walk_tracked_2.csv'
  assert files(tmp_path) == ['walk_tracked.mp4']


def test_a_run_that_ends_meanwhile_keeps_its_names(
    tmp_path, monkeypatch) -> None:
  monkeypatch.chdir(tmp_path)
  lock = track_outputs.target_lock

  @contextlib.contextmanager
  def slow(path, flag):
    if path.name == 'walk_tracked.mp4':
      path.touch()
    with lock(path, flag):
      yield

  monkeypatch.setattr(track_outputs, 'target_lock', slow)
  with track_outputs.default_names('walk.avi') as names:
    assert names[1] == 'walk_tracked_2.csv'
