"""The evaluate command, with a stand-in tracker."""

import functools
import json
import os
import sys

import cv2
import numpy as np
import pytest

from siamkpn_jax.checkpoints import packaged
from siamkpn_jax.core.file_lock import folder_lock
from siamkpn_jax.evaluation.run import load
from siamkpn_jax.evaluation.run.protocol import FirstBoxTracker
from siamkpn_jax.tracking.one_target import OneTarget


class Watched(FirstBoxTracker):
  """Never moves, and tells of every frame."""

  def update(self, frame):
    print('update', file=sys.stderr)
    return super().update(frame)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch, tmp_path):
  """In the place of the tracker with weights."""
  monkeypatch.setattr(packaged, 'FOLDER', tmp_path / 'weights')
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'runs' / 'kpn3s').mkdir(parents=True)
  loads = []

  def load_for_sequences(weights, lengths, **options):
    loads.append((weights, lengths, options))
    return OneTarget(Watched()), {
        'weights': weights, 'tracking': options['hyperparameters']}

  monkeypatch.setattr(load, 'load_for_sequences', load_for_sequences)
  return loads


@pytest.fixture
def evaluate(command):
  return functools.partial(command, 'evaluate')


@pytest.fixture
def otb(tmp_path):
  for name in ('Ball', 'Car'):
    images = tmp_path / 'otb' / name / 'img'
    images.mkdir(parents=True)
    for i in range(1, 5):
      cv2.imwrite(str(images / f'{i:04d}.jpg'), np.zeros((9, 9, 3), np.uint8))
    (images.parent / 'groundtruth_rect.txt').write_text('1,2,3,4\n' * 4)
  (tmp_path / 'otb' / '_notes').mkdir()
  return tmp_path / 'otb'


def test_flags_reach_the_tracker(stand_in, evaluate, otb):
  flags = ['--data', otb, '--weights', 'runs/kpn3s']
  assert evaluate(*flags, '--output', 'plain').returncode == 0
  assert evaluate(
      *flags, '--output', 'all', '--sequences', 'Car', '--batch', '3',
      '--tracking', 'penalty_k=0.3', '--engine', 'onnxruntime', '--precision',
      'int8', '--long_term').returncode == 0
  assert stand_in == [
      ('runs/kpn3s', [4, 4], {
          'batch': None, 'hyperparameters': {}, 'engine': None,
          'precision': 'float32', 'long_term': False}),
      ('runs/kpn3s', [4], {
          'batch': 3, 'hyperparameters': {'penalty_k': 0.3},
          'engine': 'onnxruntime', 'precision': 'int8', 'long_term': True})]


def test_two_on_one_output(evaluate, otb, tmp_path):
  """The second is refused; parts of one evaluation are not."""
  out = tmp_path / 'out'
  flags = ['--data', otb, '--weights', 'runs/kpn3s', '--output', out]
  with folder_lock(out, '--output'):
    done = evaluate(*flags)
    assert done.returncode == 2 and done.stderr.count('\n') == 1
    assert f'{out}: process {os.getpid()} on ' in done.stderr
  with folder_lock(out, '--output', '1_of_2'):
    assert evaluate(*flags, '--shard', '0/2').returncode == 0
    assert evaluate(*flags, '--shard', '1/2').returncode == 2
  assert evaluate(*flags, '--shard', '1/2').returncode == 0
  assert (out / 'report' / 'report.html').is_file()


def test_a_sequence_that_fails(evaluate, otb, tmp_path):
  """Exit status 1 and a last line; the report and the JSON name it."""
  (otb / 'Car' / 'img' / '0003.jpg').write_bytes(b'damaged')
  out = tmp_path / 'out'
  done = evaluate('--data', otb, '--weights', 'runs/kpn3s', '--output', out)
  assert done.returncode == 1, done.stderr
  assert done.stderr.splitlines()[-1] == (
      'error: 1 of 2 sequences failed: Car; the others are scored: correct '
      'these and run the same command again')
  assert '0003.jpg' in done.stderr.splitlines()[-2]
  assert ['Ball', '0.9524', '1.0000'] in [
      line.split()[:3] for line in done.stdout.splitlines()]
  assert 'failed: Car: ' in (out / 'report' / 'report.html').read_text()
  assert '0003.jpg' in json.loads(
      (out / 'summary.json').read_text())['failed']['Car']


def test_evaluate(evaluate, otb, tmp_path):
  out = tmp_path / 'out'
  flags = ['--data', otb, '--weights', 'runs/kpn3s', '--output', out,
           '--zero_based', 'Car']
  done = evaluate(*flags)
  assert done.returncode == 0, done.stderr
  assert 'groundtruth_rect.txt): _notes' in done.stdout
  table = [line.split() for line in done.stdout.splitlines()]
  assert ['Ball', '0.9524', '1.0000'] in [row[:3] for row in table]
  assert ['all', '0.9524', '1.0000'] in [row[:3] for row in table]
  assert 'protocol otb: the OTB authors' in done.stdout
  assert ' frames/s tracking, ' in done.stdout and ' cores' in done.stdout
  assert sorted(f.name for f in out.iterdir()) == [
      'Ball.txt', 'Car.txt', 'report', 'settings.json', 'summary.json', 'times']
  page = (out / 'report' / 'report.html').read_text()
  assert 'python -m siamkpn_jax.evaluate --data' in page
  assert 'runs/kpn3s (checksum' in page
  # The right side of the box in the strip's second frame, 320 / 9 as large: at
  # pixel 3 where the file counts from 1, at 4 where it counts from 0.
  for name, side in (('Ball', 3), ('Car', 4)):
    (strip,) = (out / 'report').glob(f'failure_?_{name}.png')
    red = cv2.imread(str(strip))[120, 324:644, 2] > 150
    assert red.nonzero()[0].max() == pytest.approx(side * 320 / 9, abs=3)
  summary = json.loads((out / 'summary.json').read_text())
  assert summary['benchmark'] == summary['protocol'] == 'otb'
  assert summary['checkpoint'] == 'runs/kpn3s'
  assert summary['num_sequences'] == 2
  assert '8/8' in done.stderr and done.stderr.count('update\n') == 6

  # Only what is missing is run again; other settings are refused.
  (out / 'Car.txt').unlink()
  again = evaluate(*flags, '--protocol', 'pysot')
  assert again.returncode == 0 and again.stderr.count('update\n') == 3
  assert "protocol pysot: pysot's OPEBenchmark" in again.stdout
  other = evaluate(*flags, '--tracking', 'penalty_k=0.2')
  assert other.returncode == 2 and other.stderr.count('\n') == 1
  assert "tracking was {}, now {'penalty_k': 0.2}" in other.stderr


def test_shards(evaluate, otb, tmp_path):
  """Each runs its part; the last to end scores."""
  out = tmp_path / 'out'
  flags = ['--data', otb, '--weights', 'runs/kpn3s', '--output', out]
  first = evaluate(*flags, '--shard', '1/2')
  assert first.returncode == 0 and 'others are not' in first.stdout
  assert [f.name for f in out.glob('*.txt')] == ['Car.txt']
  last = evaluate(*flags, '--shard', '0/2')
  assert last.returncode == 0 and 'all ' in last.stdout
  assert last.stderr.count('update\n') == 3
  for wrong in ('2/2', '1', 'a/b', '-1/2'):
    done = evaluate(*flags, f'--shard={wrong}')
    assert done.returncode == 2 and 'expected k/n' in done.stderr


def test_packaged_weights(evaluate, otb, tmp_path):
  """Without --weights; missing, they are named before anything is written."""
  out = tmp_path / 'out'
  flags = ['--data', otb, '--output', out]
  done = evaluate(*flags)
  assert done.returncode == 2 and done.stderr.count('\n') == 1
  assert 'default weights missing' in done.stderr and not out.exists()
  (tmp_path / 'weights').mkdir()
  (tmp_path / 'weights' / 'kpn3s_nano.safetensors').touch()
  done = evaluate(*flags)
  assert done.returncode == 0, done.stderr
  summary = json.loads((out / 'summary.json').read_text())
  assert summary['checkpoint'] == 'kpn3s_nano'
  assert 'kpn3s_nano (checksum' in (out / 'report/report.html').read_text()


def test_mistakes(evaluate, otb, tmp_path):
  common = ['--weights', 'runs/kpn3s', '--output', tmp_path / 'out']
  done = evaluate('--data', tmp_path / 'none', *common)
  assert done.returncode == 2
  assert done.stderr.startswith('error: ') and done.stderr.count('\n') == 1
  done = evaluate('--data', otb, '--benchmark', 'otb99', *common)
  assert done.returncode == 2 and 'otb99' in done.stderr
  done = evaluate('--data', otb, '--protocol', 'vot', *common)
  assert done.returncode == 2 and 'vot: unknown for otb' in done.stderr
  done = evaluate(*common)
  assert done.returncode == 2 and '--data' in done.stderr
  assert not (tmp_path / 'out').exists()
