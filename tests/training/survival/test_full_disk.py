"""No room on the disk: one line says so, and a run goes on once there is."""

import resource
import subprocess
from pathlib import Path

import pytest

from siamkpn_jax.checkpoints.weights import has_training_state
from siamkpn_jax.training.metrics import LOG_NAME
from tests.training.processes import (
    STEPS,
    finish,
    last_state,
    log,
    start,
    wait_for,
)
from tests.training.survival.runs import (
    EVERY,
    assert_equal,
    assert_quiet,
    command,
    goes_on,
    half_written,
    log_steps,
    steps,
)

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]


def limit_files(process, size):
  """From now on the process cannot write files of more than `size` bytes."""
  resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))


def one_error(process):
  """The only line that a run says of its end."""
  code, output = finish(process)
  assert code == 2, output
  assert_quiet(output)
  (line,) = [x for x in output.splitlines() if x.startswith('error: ')]
  assert output.rstrip().endswith(line)
  return line


def test_no_room_for_a_checkpoint(uninterrupted, tmp_path, env):
  """One line says which and why; what was saved before is used."""
  process = start(*command(tmp_path), env=env)
  wait_for(lambda: len(steps(tmp_path)) >= 2)
  limit_files(process, 20_000)  # less than the largest file of a checkpoint
  line = one_error(process)
  newest = max(steps(tmp_path))
  assert line == (
      f'error: {tmp_path}/checkpoints/{newest + EVERY}: this checkpoint '
      'cannot be written (File too large): free space and run the same '
      f'command, which resumes from {newest}, the newest intact one')
  for step in steps(tmp_path):
    assert has_training_state(tmp_path / 'checkpoints' / str(step))
  assert log_steps(tmp_path)[-1] < STEPS
  goes_on(tmp_path, env, newest, uninterrupted)
  assert not half_written(tmp_path)


def test_no_room_for_the_first_checkpoint(tmp_path, env):
  process = start(*command(tmp_path), env=env)
  wait_for(lambda: log_steps(tmp_path))
  limit_files(process, 20_000)
  line = one_error(process)
  assert f'{tmp_path}/checkpoints/2: this checkpoint cannot be ' in line
  assert 'run the same command, which starts over' in line


@pytest.mark.parametrize('name', ['config.json', LOG_NAME, 'tensorboard'])
def test_no_room_for_other_files(uninterrupted, tmp_path, env, name):
  """One line names the file; nothing that is half written stays."""
  unsaved = command(tmp_path, '--config.train.save_every=100')
  process = start(*unsaved, env=env)
  if name == 'config.json':
    limit_files(process, 1000)
  else:
    wait_for(lambda: len(log_steps(tmp_path)) >= 5)
    # Of one step, there is less in the log than in TensorBoard's file.
    full = (tmp_path / LOG_NAME if name == LOG_NAME else
            next((tmp_path / name).iterdir()))
    limit_files(process, full.stat().st_size)
  assert one_error(process).startswith(
      f'error: {tmp_path / name}: cannot be written (File too large); expected')
  assert not list(tmp_path.glob('.*'))
  goes_on(tmp_path, env, 0, uninterrupted)


@pytest.fixture
def small_disk(tmp_path):
  """A file system of 1 MB: its folder, as programs started `inside` name it.

  Yields (folder, inside, the folder's path for other programs).
  """
  folder = tmp_path / 'disk'
  folder.mkdir()
  mount = f'mount -t tmpfs -o size=1m tmpfs {folder}'
  try:
    holder = subprocess.Popen(
        ['unshare', '-rm', 'sh', '-c', f'{mount} && echo done && exec cat'],
        text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
  except OSError as error:
    pytest.skip(f'needs unshare: {error}')
  with holder:
    line = holder.stdout.readline()
    if line != 'done\n':
      pytest.skip(f'may not mount a file system: {line.strip()}')
    inside = ('nsenter', '-t', str(holder.pid), '-U', '-m',
              '--preserve-credentials')
    yield folder, inside, Path(f'/proc/{holder.pid}/root{folder}')


def test_full_disk(uninterrupted, tmp_path, small_disk, env):
  """A real one, on which two or three checkpoints have room."""
  folder, inside, there = small_disk
  arguments = (*command(tmp_path), f'--workdir={folder}')
  line = one_error(start(*arguments, env=env, inside=inside))
  newest = max(steps(there))
  assert f'{folder}/checkpoints/{newest + EVERY}: this checkpoint cann' in line
  assert 'No space left on device' in line
  assert f'which resumes from {newest}, the newest intact one' in line
  subprocess.run([*inside, 'mount', '-o', 'remount,size=50m', folder],
                 check=True)
  code, output = finish(start(*arguments, env=env, inside=inside))
  assert code == 0, output
  assert f'resuming {folder} at step {newest}\n' in output
  assert_quiet(output)
  assert log(there) == log(uninterrupted)
  assert_equal(last_state(there), last_state(uninterrupted))
