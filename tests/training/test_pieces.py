"""Training in pieces, each on what the one before has left."""

import json
import shlex
import signal
import sys
import zipfile
from pathlib import Path

import pytest

from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.training.metrics import LOG_NAME, read_log
from tests.test_launch import load
from tests.training import processes

pieces = load('pieces')


@pytest.fixture(autouse=True)
def search_path(monkeypatch):
  """The script adds to it."""
  monkeypatch.setattr(sys, 'path', [*sys.path])


@pytest.fixture
def piece(tmp_path, compilation_cache):
  """Starts a piece; its output is in a folder of its number."""
  def start(number, *flags):
    return processes.start(
        f'--output={tmp_path / str(number)}',
        f'--config={processes.write_config(tmp_path)}',
        f'--workdir={tmp_path / f"run{number}"}', *flags,
        script=('launch/pieces.py',),
        env=processes.environment(compilation_cache))
  return start


@pytest.mark.slow
@pytest.mark.multiprocess
def test_two_pieces_make_a_run(piece, tmp_path):
  """The second goes on elsewhere, from the file of the first."""
  first = piece(1, '--minutes=5')
  processes.wait_for(lambda: len(read_log(tmp_path / 'run1' / LOG_NAME)) > 2)
  first.send_signal(signal.SIGTERM)  # as a queue does
  status, output = processes.finish(first)
  assert status == 0, output
  lines = output.splitlines()
  step = pieces.newest(tmp_path / 'run1')
  assert 2 < step < 20
  assert lines[-2].startswith(f'step {step} of 20 ({step} in this piece), ')
  assert lines[-2].endswith(' pairs/s, not validated yet')
  state = tmp_path / '1' / 'run.tar'
  assert lines[-1].startswith('go on: python launch/pieces.py --output=')
  assert lines[-1].endswith(f' --minutes=5 --state={state}')
  load_model(tmp_path / '1' / f'weights_{step}.safetensors')

  status, output = processes.finish(
      piece(2, '--minutes=5', f'--state={state}'))
  assert status == 0, output
  assert f'step 20 of 20 ({20 - step} in this piece)' in output
  assert 'go on' not in output
  rows = [row['step'] for row in processes.log(tmp_path / 'run2')]
  assert rows == list(range(1, 21))
  assert sorted(path.name for path in (tmp_path / '2').iterdir()) == [
      'run.tar', 'weights_20.safetensors']
  load_model(tmp_path / '2' / 'weights_20.safetensors')


@pytest.mark.multiprocess
def test_time_that_is_too_short(piece, tmp_path):
  """Nothing is saved: the status tells, and so does a line."""
  status, output = processes.finish(piece(1, '--minutes=0.001'))
  assert status == 128 + signal.SIGTERM
  assert output.splitlines()[-1].startswith(
      'error: training was ended before it could save')
  assert not (tmp_path / '1').exists()


def fake_run(folder, steps):
  """A workdir as far as the script looks into it."""
  for step in steps:
    (folder / 'checkpoints' / str(step)).mkdir(parents=True)
    (folder / 'checkpoints' / str(step) / 'data').write_text(f'of {step}')
  (folder / 'checkpoints' / '99.damaged').mkdir(parents=True)
  (folder / 'config.json').write_text(json.dumps(
      {'train': {'epochs': 3, 'pairs_per_epoch': 1000, 'batch_size': 10}}))
  rows = [{'step': 10, 'pairs_per_second': 1.0},
          {'step': 20, 'pairs_per_second': 5.0},
          {'step': 20, 'val_success_auc': 0.5},
          {'step': 30, 'pairs_per_second': 6.0},
          {'step': 30, 'val_success_auc': 0.4}]
  (folder / 'metrics.jsonl').write_text(
      ''.join(json.dumps(row) + '\n' for row in rows))
  return folder


def test_state_is_the_newest_checkpoint(tmp_path):
  run = fake_run(tmp_path / 'run', (5, 20, 100))
  pieces.pack_state(run, tmp_path / 'run.tar')
  pieces.unpack_state(tmp_path / 'run.tar', tmp_path / 'new')
  assert {str(path.relative_to(tmp_path / 'new'))
          for path in (tmp_path / 'new').rglob('*') if path.is_file()} == {
              'checkpoints/100/data', 'config.json', 'metrics.jsonl'}
  assert pieces.newest(tmp_path / 'new') == 100
  assert pieces.newest(tmp_path / 'nothing') == 0


def test_leftovers_are_no_run(tmp_path):
  """Half and damaged checkpoints are not in the way of a state."""
  pieces.pack_state(fake_run(tmp_path / 'run', (20,)), tmp_path / 'run.tar')
  new = fake_run(tmp_path / 'new', ())
  (new / 'checkpoints' / '8.orbax-checkpoint-tmp').mkdir()
  (new / 'checkpoints' / '99.damaged' / 'data').write_text('x')
  pieces.unpack_state(tmp_path / 'run.tar', new)
  assert pieces.newest(new) == 20 == pieces.state_step(tmp_path / 'run.tar')


def test_older_workdir_does_not_replace_the_state(tmp_path, capsys):
  """What another machine has trained since would be lost."""
  state = tmp_path / 'run.tar'
  pieces.pack_state(fake_run(tmp_path / 'run', (20,)), state)
  before = state.read_bytes()
  old = fake_run(tmp_path / 'old', (10,))
  assert pieces.main(['--minutes=1', f'--output={tmp_path}',
                      f'--workdir={old}', f'--state={state}']) == 2
  error = capsys.readouterr().err
  assert 'is of step 20, newer than step 10' in error
  assert state.read_bytes() == before


def test_half_a_state_is_no_run(tmp_path, capsys):
  run = fake_run(tmp_path / 'run', (5,))
  (run / 'checkpoints' / '5' / 'more').write_bytes(bytes(50_000))
  pieces.pack_state(run, tmp_path / 'run.tar')
  data = (tmp_path / 'run.tar').read_bytes()
  (tmp_path / 'run.tar').write_bytes(data[:len(data) // 2])
  assert pieces.main([
      '--minutes=1', f'--output={tmp_path}', f'--workdir={tmp_path / "new"}',
      f'--state={tmp_path / "run.tar"}']) == 2
  assert capsys.readouterr().err.startswith(f'error: --state {tmp_path}')
  assert not list((tmp_path / 'new').iterdir())


@pytest.mark.parametrize('state', [[], ['--state=old'], ['--state', 'old']])
def test_next_piece_goes_on_from_this_one(state):
  found = pieces.next_command(
      ['--minutes', '8', *state, "--config.data.sets=('a',)"], Path('out'))
  assert shlex.split(found) == [
      'python', 'launch/pieces.py', '--minutes', '8',
      "--config.data.sets=('a',)", '--state=out/run.tar']


def test_summary(tmp_path):
  """Speed of this piece alone, and the best score of the run."""
  run = fake_run(tmp_path / 'run', (20, 30))
  assert pieces.summary(run, 10) == (
      'step 30 of 300 (20 in this piece), 5.5 pairs/s, best in validation: '
      'success AUC 0.500 at step 20')


def test_wheels_fill_gaps_only(tmp_path):
  """What can be imported stays; native files come along."""
  wheels = tmp_path / 'wheels'
  wheels.mkdir()
  for package in ('json', 'siamkpn_no_such'):
    with zipfile.ZipFile(wheels / f'{package}-1-py3-none-any.whl', 'w') as file:
      file.writestr(f'{package}/__init__.py', 'HERE = 1')
      file.writestr(f'{package}/native.so', 'x')
      file.writestr(f'{package}-1.dist-info/METADATA', '')
  pieces.unpack_wheels(wheels, tmp_path / 'home')
  assert sorted(path.name for path in (tmp_path / 'home').iterdir()) == [
      'siamkpn_no_such', 'siamkpn_no_such-1.dist-info']
  assert (tmp_path / 'home' / 'siamkpn_no_such' / 'native.so').exists()
  pieces.unpack_wheels(tmp_path / 'missing', tmp_path / 'other')
  assert not (tmp_path / 'other').exists()
