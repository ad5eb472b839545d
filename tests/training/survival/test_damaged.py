"""A damaged checkpoint is put aside, and a run goes on from the one before."""

import shutil

import jax
import pytest

from tests.training.processes import last_state
from tests.training.survival.runs import (
    EVERY,
    MIDDLE,
    assert_equal,
    goes_on,
    restored,
    saved_arrays,
    steps,
    stopped_at,
)

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]


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
  assert f'moved to {MIDDLE}.damaged, trying the previous one' in text


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
