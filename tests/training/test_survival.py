"""What can end a run, and that the same command then goes on from there.

Kills and full disks are those of the operating system, on processes that are
started as a user starts them.
"""

import json
import random
import resource
import shutil
import subprocess
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from siamkpn_jax.config import to_plain
from siamkpn_jax.models.weights import has_training_state
from siamkpn_jax.training import sharding, trainer
from siamkpn_jax.training.checkpoints import Checkpoints
from siamkpn_jax.training.metrics import LOG_NAME
from tests.training.processes import (
    CONFIG,
    STEPS,
    by_name,
    environment,
    finish,
    last_state,
    log,
    start,
    wait_for,
    write_config,
)

pytestmark = pytest.mark.multiprocess

EVERY = 2  # steps between two saves
MIDDLE = 12  # of the STEPS, where some runs go on; the backbone trains since 10


@pytest.fixture(scope='module')
def env(pytestconfig):
  """One device; programs are compiled once for the whole module."""
  return environment(pytestconfig.cache.mkdir('jax'), JAX_NUM_CPU_DEVICES='1')


SHARDED = '--config.train.shard_optimizer=True'


def command(workdir, *changes):
  """Arguments of a run that keeps all its checkpoints."""
  workdir.mkdir(exist_ok=True)
  return (f'--config={write_config(workdir)}', f'--workdir={workdir}',
          f'--config.train.save_every={EVERY}',
          '--config.train.keep_checkpoints=100', *changes)


def whole_run(folder, env, *changes):
  """The workdir of a run that nothing has stopped."""
  code, output = finish(start(*command(folder, *changes), env=env))
  assert code == 0, output
  return folder


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory, env):
  """Of one device."""
  return whole_run(tmp_path_factory.mktemp('uninterrupted'), env)


def steps(workdir):
  """The whole checkpoints."""
  return sorted(int(p.name) for p in (workdir / 'checkpoints').glob('*')
                if p.name.isdigit())


def stopped_at(step, run, copy):
  """A copy of a run as it was right after a step."""
  shutil.copytree(run, copy)
  for later in steps(copy):
    if later > step:
      shutil.rmtree(copy / 'checkpoints' / str(later))
  return copy


def goes_on(workdir, env, step, expected, *changes):
  """Runs to the end from a step; the result is the expected run's."""
  code, output = finish(start(*command(workdir, *changes), env=env))
  assert code == 0, output
  assert (f'resuming {workdir} at step {step}\n' in output) == (step > 0), (
      output)
  assert_quiet(output)
  assert log(workdir) == log(expected)
  assert_equal(last_state(workdir), last_state(expected))
  return output


def assert_equal(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  jax.tree.map(np.testing.assert_array_equal, a, b)


def assert_quiet(output):
  """Nothing but what the program itself says."""
  for word in ('Traceback', 'Exception', 'exception', 'absl', 'asyncio'):
    assert word not in output, output


# Killed -----------------------------------------------------------------------


def half_written(workdir):
  """Orbax's folders of unfinished saves."""
  return list((workdir / 'checkpoints').glob('*.orbax-checkpoint-tmp*'))


def logged(workdir):
  """The steps of whole lines; all but the last line must be whole."""
  *lines, last = (workdir / LOG_NAME).read_text().split('\n')
  assert '\n' not in last
  return [json.loads(line)['step'] for line in lines]


def kill(process, workdir, rng, first, *, in_save):
  """SIGKILL at a random moment after step `first`, or in the next save."""
  wait_for(lambda: max(log_steps(workdir), default=0) >= first)
  if in_save:
    is_new = lambda folder: not (folder / 'left').exists()
    while not any(map(is_new, half_written(workdir))):
      assert process.poll() is None, 'ended before a save was seen'
      time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.05))
  else:
    end = time.monotonic() + rng.uniform(0, 0.6)
    while (time.monotonic() < end and
           max(log_steps(workdir)) < first + 2 * EVERY):
      time.sleep(0.002)
  process.kill()
  return process.communicate()[0]


def log_steps(workdir):
  return [row['step'] for row in log(workdir)]


@pytest.mark.parametrize('kills', [
    3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_again_and_again(kills, tmp_path, env, request):
  """It loses one save at most, and ends as the run that was never killed."""
  steps_in_all = STEPS if kills == 3 else 6 * kills
  longer = f'--config.train.pairs_per_epoch={2 * steps_in_all}'
  expected = (request.getfixturevalue('uninterrupted') if kills == 3 else
              whole_run(tmp_path / 'expected', env, longer))
  workdir = tmp_path / 'killed'
  rng = random.Random(kills)
  saved = last = in_save = 0  # `last` is the last step logged before the kill
  for number in range(kills + 1):
    process = start(*command(workdir, longer), env=env)
    try:
      output = (finish(process)[1] if number == kills else kill(
          process, workdir, rng, saved + 1 if number else 1,
          in_save=number % 2 == 0))
    finally:
      process.kill()
    assert_quiet(output)
    if number:
      check_resumed(output, workdir, saved, last)
    if number == kills:
      assert process.returncode == 0, output
      break
    assert process.returncode == -9, f'ended before the kill: {output}'
    left = half_written(workdir)
    assert len(left) <= 1, 'what earlier kills left is still there'
    for folder in left:
      (folder / 'left').touch()
    in_save += len(left)
    found = logged(workdir)
    last = found[-1]
    assert found == list(range(1, last + 1))
    saved = max(steps(workdir), default=0)
    due_before = (last - 1) // EVERY * EVERY
    assert saved >= due_before - EVERY, (saved, last)
  assert 3 * in_save >= kills, in_save
  assert not half_written(workdir)
  assert not list(workdir.glob('.*')), 'temporary files are left behind'
  assert log(workdir) == log(expected)
  assert_equal(last_state(workdir, steps_in_all),
               last_state(expected, steps_in_all))


def check_resumed(output, workdir, saved, last):
  """At the newest whole checkpoint."""
  assert last >= saved
  assert (f'resuming {workdir} at step {saved}\n' in output) == (saved > 0), (
      output)


# No room on the disk ----------------------------------------------------------


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
      'cannot be written (File too large); free space and give the same '
      f'command, which goes on from {newest}, the newest that is intact')
  for step in steps(tmp_path):
    assert has_training_state(tmp_path / 'checkpoints' / str(step))
  assert log_steps(tmp_path)[-1] < STEPS
  goes_on(tmp_path, env, newest, uninterrupted)
  assert not half_written(tmp_path)


@pytest.mark.slow
def test_no_room_for_the_first_checkpoint(tmp_path, env):
  process = start(*command(tmp_path), env=env)
  wait_for(lambda: log_steps(tmp_path))
  limit_files(process, 20_000)
  line = one_error(process)
  assert f'{tmp_path}/checkpoints/2: this checkpoint cannot be ' in line
  assert 'give the same command, which starts anew' in line


@pytest.mark.slow
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


@pytest.mark.slow
def test_full_disk(uninterrupted, tmp_path, small_disk, env):
  """A real one, on which two or three checkpoints have room."""
  folder, inside, there = small_disk
  arguments = (*command(tmp_path), f'--workdir={folder}')
  line = one_error(start(*arguments, env=env, inside=inside))
  newest = max(steps(there))
  assert f'{folder}/checkpoints/{newest + EVERY}: this checkpoint cann' in line
  assert 'No space left on device' in line
  assert f'which goes on from {newest}, the newest that is intact' in line
  subprocess.run([*inside, 'mount', '-o', 'remount,size=50m', folder],
                 check=True)
  code, output = finish(start(*arguments, env=env, inside=inside))
  assert code == 0, output
  assert f'resuming {folder} at step {newest}\n' in output
  assert_quiet(output)
  assert log(there) == log(uninterrupted)
  assert_equal(last_state(there), last_state(uninterrupted))


# Other devices ----------------------------------------------------------------


def restored(workdir, *, devices, shard_optimizer):
  """What a run on so many devices starts with."""
  config = tiny_run()
  config.train.shard_optimizer = shard_optimizer
  mesh = jax.make_mesh(
      (devices,), ('data',), devices=jax.devices()[:devices],
      axis_types=(jax.sharding.AxisType.Auto,))
  abstract = trainer.abstract_state(config, trainer.build_step(config), mesh)
  with Checkpoints(workdir, to_plain(config), keep=100) as checkpoints:
    state = checkpoints.restore(abstract)
  assert sharding.placement(state) == sharding.placement(abstract)
  return state


def tiny_run():
  """The configuration of this module's runs."""
  scope = {}
  exec(CONFIG, scope)
  return scope['get_config']()


def saved_arrays(state):
  """As `last_state` has them."""
  return by_name({
      'model': state.variables,
      'training': {'step': state.step, 'skipped': state.skipped,
                   'opt_state': state.opt_state}})


def divided(state):
  """How many arrays lie in parts on the devices."""
  return sum(not x.sharding.is_fully_replicated for x in jax.tree.leaves(state))


def test_restored_on_more_devices(uninterrupted, tmp_path):
  """Bit for bit, in parts or whole."""
  run = stopped_at(MIDDLE, uninterrupted, tmp_path / 'run')
  expected = last_state(run, MIDDLE)
  whole = restored(run, devices=4, shard_optimizer=False)
  parts = restored(run, devices=4, shard_optimizer=True)
  assert divided(whole) == 0 < divided(parts)
  for state in (whole, parts):
    assert int(state.step) == MIDDLE
    assert_equal(jax.device_get(saved_arrays(state)), expected)


@pytest.mark.slow
def test_goes_on_with_other_devices(uninterrupted, tmp_path, env):
  """One device, then four; four that divide the optimizer's state, then one.

  The losses differ by rounding only: sums over the batch are made in another
  order, from one float32 step to the next. `test_two_processes_equal_one`
  allows as much for whole runs.
  """
  four, parts = env | {'JAX_NUM_CPU_DEVICES': '4'}, SHARDED
  divided_run = whole_run(tmp_path / 'divided', four, parts)
  state = restored(stopped_at(MIDDLE, divided_run, tmp_path / 'cut'),
                   devices=1, shard_optimizer=False)
  assert_equal(jax.device_get(saved_arrays(state)),
               last_state(tmp_path / 'cut', MIDDLE))
  for run, other, changes in ((uninterrupted, four, (parts,)),
                              (divided_run, env, ())):
    copy = stopped_at(MIDDLE, run, tmp_path / f'{run.name}_goes_on')
    code, output = finish(start(*command(copy, *changes), env=other))
    assert code == 0, output
    assert f'resuming {copy} at step {MIDDLE}\n' in output
    a, b = log(copy), log(run)
    assert a[:MIDDLE] == b[:MIDDLE]
    assert a[MIDDLE:] != b[MIDDLE:], 'the devices were the same'
    np.testing.assert_allclose([row['loss'] for row in a],
                               [row['loss'] for row in b], rtol=5e-6)


# Damaged ----------------------------------------------------------------------


def data_files(checkpoint):
  """The files of the arrays."""
  return [p for p in checkpoint.glob('*/ocdbt.process_*/d/*') if p.is_file()]


def cut(checkpoint):
  for path in data_files(checkpoint):
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def flip(checkpoint):
  """Bytes of arrays, which Orbax reads without noticing."""
  for path in data_files(checkpoint):
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle:middle + 8] = bytes(255 - byte for byte in
                                    data[middle:middle + 8])
    path.write_bytes(data)


def remove_metadata(checkpoint):
  (checkpoint / '_CHECKPOINT_METADATA').unlink()


def remove_structure(checkpoint):
  (checkpoint / 'training' / '_METADATA').unlink()


def cut_unlisted(checkpoint):
  """Without its checksums, whose list is therefore never missing."""
  (checkpoint / 'checksums.json').unlink()
  cut(checkpoint)


DAMAGES = [cut, flip, remove_metadata, remove_structure, cut_unlisted]


@pytest.mark.parametrize('damage', DAMAGES)
def test_damaged_is_not_restored(uninterrupted, tmp_path, damage, capsys):
  """The one before is, bit for bit."""
  run = stopped_at(MIDDLE, uninterrupted, tmp_path / 'run')
  damage(run / 'checkpoints' / str(MIDDLE))
  state = restored(run, devices=4, shard_optimizer=False)
  before = MIDDLE - EVERY
  assert steps(run)[-1] == before
  assert int(state.step) == before
  assert_equal(jax.device_get(saved_arrays(state)), last_state(run, before))
  text = capsys.readouterr().err
  assert f'{run}/checkpoints/{MIDDLE}: damaged (' in text
  assert f'moved to {MIDDLE}.damaged, trying the one before' in text


@pytest.mark.slow
@pytest.mark.parametrize('damage', DAMAGES)
def test_goes_on_from_the_one_before(uninterrupted, tmp_path, env, damage):
  """The same in a process, and the run ends as if nothing had happened."""
  run = stopped_at(MIDDLE, uninterrupted, tmp_path / 'run')
  damage(run / 'checkpoints' / str(MIDDLE))
  output = goes_on(run, env, MIDDLE - EVERY, uninterrupted)
  assert f'{MIDDLE}: damaged (' in output


def test_damaged_twice(uninterrupted, tmp_path):
  """Both are kept."""
  run = stopped_at(MIDDLE, uninterrupted, tmp_path / 'run')
  folder = run / 'checkpoints'
  for _ in range(2):
    flip(folder / str(MIDDLE))
    restored(run, devices=4, shard_optimizer=False)
    shutil.copytree(uninterrupted / 'checkpoints' / str(MIDDLE),
                    folder / str(MIDDLE))
  assert len(list(folder.glob(f'{MIDDLE}*.damaged'))) == 2
