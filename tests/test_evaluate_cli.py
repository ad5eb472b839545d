"""The evaluate command, in a process of its own with a stand-in tracker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

# Puts a tracker that never moves in the place of the one with weights.
_PROGRAM = """
import runpy, sys, types
from siamkpn_jax.benchmarks.runner import FirstBoxTracker
module = types.ModuleType('siamkpn_jax.tracking.tracker')
module.load_tracker = lambda weights: FirstBoxTracker()
sys.modules[module.__name__] = module
sys.argv[0] = 'evaluate'
runpy.run_module('siamkpn_jax.evaluate', run_name='__main__', alter_sys=True)
"""


def _evaluate(*flags):
  root = Path(__file__).parents[1]
  path = os.pathsep.join([str(root), os.environ.get('PYTHONPATH', '')])
  return subprocess.run(
      [sys.executable, '-c', _PROGRAM, *(str(f) for f in flags)],
      capture_output=True, text=True, timeout=120, check=False,
      env={**os.environ, 'PYTHONPATH': path})


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


def test_evaluate(otb, tmp_path):
  done = _evaluate('--data', otb, '--weights', 'runs/kpn3s', '--output',
                   tmp_path / 'out', '--zero_based', 'Car')
  assert done.returncode == 0, done.stderr
  assert 'or hidden): _notes' in done.stdout
  table = [line.split() for line in done.stdout.splitlines()]
  assert ['Ball', '4', '0.952', '1.000'] in [row[:4] for row in table]
  assert ['mean', '8', '0.952', '1.000'] in [row[:4] for row in table]
  assert sorted(f.name for f in (tmp_path / 'out').iterdir()) == [
      'Ball.txt', 'Car.txt', 'precision.png', 'success.png', 'summary.json']
  summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
  assert summary['benchmark'] == 'otb'
  assert summary['weights'] == 'runs/kpn3s'
  assert summary['num_sequences'] == 2
  assert '8/8' in done.stderr


def test_mistakes(otb, tmp_path):
  common = ['--weights', 'w', '--output', tmp_path / 'out']
  done = _evaluate('--data', tmp_path / 'none', *common)
  assert done.returncode == 2
  assert done.stderr.startswith('error: ') and done.stderr.count('\n') == 1
  done = _evaluate('--data', otb, '--benchmark', 'otb99', *common)
  assert done.returncode == 2 and 'otb99' in done.stderr
  done = _evaluate(*common)
  assert done.returncode == 2 and '--data' in done.stderr
