"""Several real processes on this machine train as one."""

import json
import os
import shutil
import signal
import time

import cv2
import jax
import numpy as np
import pytest

from siamkpn_jax.training.metrics import AUC, LOG_NAME, PRECISION, read_log
from tests.datasets.test_catalog import write_set
from tests.training.processes import (
    STEPS,
    children,
    environment,
    finish,
    last_state,
    launch,
    log,
    pair,
    start,
    wait_for,
    write_config,
)

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]


@pytest.fixture(scope='module')
def env(compilation_cache):
  """Every program is compiled by one test and read by the others."""
  return environment(compilation_cache)


@pytest.fixture(scope='module')
def two_by_two(tmp_path_factory, env):
  """Workdir of two processes with two devices each that were never stopped."""
  folder = tmp_path_factory.mktemp('two_by_two')
  code, output = finish(launch(
      f'--config={write_config(folder)}:validated', f'--workdir={folder}',
      env=env))
  assert code == 0, output
  assert output.count('synthetic ') == 1  # the table of the sets
  assert output.count('training finished; track with') == 1
  return folder


def validations(workdir):
  """Step and scores of each."""
  return [(row['step'], row[AUC], row[PRECISION])
          for row in read_log(workdir / LOG_NAME) if AUC in row]


@pytest.mark.parametrize(('devices', 'tolerance'), [(4, 1e-6), (1, 1e-5)])
def test_two_processes_equal_one(two_by_two, tmp_path, env, devices, tolerance):
  """Losses of two processes with two devices: those of one process.

  Over twenty float32 steps, ten of them with the backbone unfrozen. One device
  sums in another order than four do, and Adam makes more of it. The sequences
  of the validation are divided over the processes; the scores are the same.
  """
  code, output = finish(start(
      f'--config={write_config(tmp_path)}:validated', f'--workdir={tmp_path}',
      env=env | {'JAX_NUM_CPU_DEVICES': str(devices)}))
  assert code == 0, output
  one, two = log(tmp_path), log(two_by_two)
  assert len(one) == len(two) == STEPS
  for name in ('loss', 'learning_rate', 'skipped'):
    np.testing.assert_allclose(
        [row[name] for row in two], [row[name] for row in one],
        rtol=tolerance, err_msg=name)
  assert one[0]['loss'] != one[-1]['loss']
  ((step, *scores),), (found,) = validations(tmp_path), validations(two_by_two)
  assert step == found[0] == STEPS and scores[0] > 0
  np.testing.assert_allclose(scores, found[1:], atol=1e-6)


def test_sigterm_to_one_stops_both(two_by_two, tmp_path, env):
  """At one step, saved, exit status 0; the same command makes it whole."""
  command = f'--config={write_config(tmp_path)}', f'--workdir={tmp_path}'
  stopped = launch(*command, env=env)
  wait_for((tmp_path / 'config.json').exists)
  os.kill(children(stopped)[1], signal.SIGTERM)
  code, output = finish(stopped)
  assert code == 0, output
  rows = log(tmp_path)
  assert 0 < len(rows) < STEPS, 'the signal came too late to test anything'
  assert (f'{tmp_path}: stopped and saved at step {len(rows)} of {STEPS}; run '
          'the same command to resume') in output
  assert (tmp_path / 'checkpoints' / str(len(rows))).is_dir()
  code, output = finish(launch(*command, env=env))
  assert code == 0, output
  assert output.count(f'resuming {tmp_path} at step {len(rows)}') == 1
  assert log(tmp_path) == log(two_by_two)
  jax.tree.map(np.testing.assert_array_equal,
               last_state(tmp_path), last_state(two_by_two))


def test_killed_process_ends_the_other(tmp_path, env):
  """Without a launcher: when it has been silent for too long."""
  command = (f'--config={write_config(tmp_path)}', f'--workdir={tmp_path}',
             '--config.train.epochs=1000', '--silence_timeout=5')
  with pair(command, env) as (first, second):
    wait_for(lambda: len(log(tmp_path)) > 1)
    second.kill()
    then = time.monotonic()
    code, output = finish(first, 60)
  assert code != 0, output
  assert time.monotonic() - then < 40
  assert 'process 1 ended' in output and 'free space' not in output


def test_launcher_kills_the_others(tmp_path, env):
  """And has the exit status of the one that was killed."""
  launched = launch(
      f'--config={write_config(tmp_path)}', f'--workdir={tmp_path}',
      '--config.train.epochs=1000', env=env)
  wait_for((tmp_path / 'config.json').exists)
  first, second = children(launched)
  os.kill(second, signal.SIGKILL)
  code, output = finish(launched, 60)
  assert code == 128 + signal.SIGKILL, output
  assert 'process 1 ended with exit status 137' in output
  with pytest.raises(ProcessLookupError):
    os.kill(first, 0)


def test_mistake_of_one_ends_the_other(tmp_path, env):
  """One line with the number of its process, though the other waits for it."""
  roots = [tmp_path / 'a', tmp_path / 'b']
  for root in roots:
    write_crops(root / 'one', 40)
  command = (f'--config={write_config(tmp_path)}', f'--workdir={tmp_path}',
             "--config.data.sets=('one',)", '--config.train.epochs=1000')
  each = [[f'--config.data.root={root}'] for root in roots]
  with pair(command, env, each) as (first, second):
    wait_for(lambda: len(log(tmp_path)) > 1)
    shutil.rmtree(roots[1] / 'one' / 'a')
    code, output = finish(second)
    assert code == 2, output
    (line,) = [x for x in output.splitlines() if x.startswith('error: ')]
    assert line.startswith(f'error: process 1: {roots[1]}')
    code, output = finish(first, 60)
  assert code != 0, output


def write_crops(folder, tracks):
  """A crop511 set of noise."""
  (folder / 'a').mkdir(parents=True)
  noise = np.random.default_rng(0).integers(0, 255, (511, 511, 3), np.uint8)
  for k in range(tracks):
    cv2.imwrite(str(folder / 'a' / f'000001.{k:02d}.x.jpg'), noise)
  (folder / 'train.json').write_text(json.dumps(
      {'a': {f'{k:02d}': {'1': [0, 0, 9, 9 + k]} for k in range(tracks)}}))


SETS = ["--config.data.sets=('one','two')", '--config.data.ratios=(1.0,1.0)',
        '--config.data.ranges=(1,1)']


def data_roots(tmp_path):
  """A folder of sets for each process."""
  for k in range(2):
    for name in ('one', 'two'):
      write_set(tmp_path / str(k), name)
  return [[f'--config.data.root={tmp_path / str(k)}'] for k in range(2)]


@pytest.mark.parametrize(('case', 'words'), [
    ('data', ['process 1 (', 'two: crop511, 1 tracks, 2 frames, sample',
              'two: crop511, 1 tracks, 1 frames, sample', 'on every host']),
    ('settings', ['process 1 (', 'config.seed: 3', 'process 0 (']),
    ('missing', ['process 1: data sets not found: two (']),
    ('workdir', ['process 1: ', 'not the folder that process 0 writes to'])])
def test_hosts_that_differ_are_refused(tmp_path, env, case, words):
  """Both end at once; process 0 says in one line why."""
  config = write_config(tmp_path)
  each = data_roots(tmp_path)
  annotations = tmp_path / '1' / 'two' / 'train.json'
  if case == 'data':
    annotations.write_text(
        '{"a": {"00": {"1": [0, 0, 9, 9], "2": [0, 0, 9, 9]}}}')
    (annotations.parent / 'a' / '000002.00.x.jpg').write_bytes(b'x')
  if case == 'missing':
    annotations.unlink()
    (tmp_path / '1' / 'two').rename(tmp_path / '1' / 'elsewhere')
  if case == 'settings':
    each[1].append('--config.seed=3')
  for k in range(2):
    each[k].append(f'--workdir={tmp_path / "run"}' +
                   str(k) * (case == 'workdir'))
  with pair([f'--config={config}', *SETS], env, each) as (first, second):
    done = [finish(first, 60), finish(second, 60)]
  assert [code for code, _ in done] == [2, 2], done
  lines = [[line for line in output.splitlines() if 'rror' in line]
           for _, output in done]
  assert len(lines[0]) == 1 and lines[1] == []
  for word in words:
    assert word in lines[0][0]
  assert not (tmp_path / 'run').exists()
