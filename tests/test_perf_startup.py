"""What perf/startup.py measures, and how it tells it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from perf import first_box, startup

ROOT = Path(__file__).parents[1]
SLOW = {'imports': 0.5, 'load': 2.0, 'init': 1.0, 'update': 0.5, 'CPU': 3.0}
FAST = {name: seconds / 2 for name, seconds in SLOW.items()}


def test_a_run_is_timed_from_the_start_of_its_process(tmp_path, monkeypatch):
  """Step by step, with the given cache folder and no other one of JAX."""
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', 'elsewhere')
  kept = tmp_path / 'cache' / 'kept'
  seen, clock = [], {}

  def run(command, *, env, **_):
    now = startup.time.time()
    clock.update({name: now + k + 1 for k, name in enumerate(first_box.STEPS)},
                 CPU=7)
    seen.append((command[1:], env['SIAMKPN_CACHE'], kept.exists()))
    assert 'JAX_COMPILATION_CACHE_DIR' not in env
    kept.parent.mkdir(exist_ok=True)
    kept.touch()
    return subprocess.CompletedProcess(command, 0, stdout=json.dumps(clock))

  monkeypatch.setattr(startup.subprocess, 'run', run)
  runs = []
  for empty in (False, False, True):
    way = startup._way(runs, ['jax', 'w', ''], kept.parent, empty=empty)
    assert way() == pytest.approx(4, abs=0.5)
  assert [was for _, _, was in seen] == [False, True, False]
  assert seen[0][0] == ['-m', 'perf.first_box', 'jax', 'w', '']
  assert runs[0].pop('CPU') == 7
  assert runs[0] == pytest.approx(dict.fromkeys(first_box.STEPS, 1), abs=0.5)


def test_a_real_run():
  """Of OpenCV's own tracker, which needs no file."""
  done = subprocess.run(
      [sys.executable, '-m', 'perf.first_box', 'TrackerMIL', '', '.'],
      cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE)
  clock = json.loads(done.stdout)
  assert clock.pop('CPU') > 0
  assert list(clock) == list(first_box.STEPS)
  assert sorted(clock.values()) == list(clock.values())


def test_table():
  result = {
      'seconds': {'ours': startup._summary([SLOW, FAST, FAST])},
      'not_available': {'TrackerNano': 'no file'}, 'rounds': 3,
      'hardware': 'H', 'threads': 2, 'load_before_and_after': [0.5, None],
      'versions': {'opencv': '4'}}
  lines = startup.report(result).splitlines()
  assert lines[0].startswith('| seconds until | first box (quartiles) | of')
  assert lines[2] == (
      '| ours | 2.00 (2.00 to 3.00) | 0.25 | 1.00 | 0.50 | 0.25 | 1.50 |')
  assert lines[3].startswith('| TrackerNano | not available: no file |')
  assert lines[-1] == ('H, 2 threads, load before and after 0.5 and unknown; '
                       'opencv 4; 3 rounds')
