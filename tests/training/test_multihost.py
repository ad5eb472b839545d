"""When processes join, what a mistake looks like, how a run is stopped."""

import functools
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.distributed import initialize, multihost, preemption
from siamkpn_jax.distributed.initialize import joined, launcher
from siamkpn_jax.training import trainer
from tests.commands import Done, assert_one_line

ROOT = Path(__file__).parents[2]

SLURM = {'SLURM_JOB_ID': '7', 'SLURM_STEP_NODELIST': 'node[1-2]',
         'SLURM_PROCID': '0', 'SLURM_LOCALID': '0', 'SLURM_NTASKS': '2',
         'SLURM_STEP_NUM_TASKS': '2', 'SLURM_STEP_NUM_NODES': '2'}
POD = {'KUBERNETES_SERVICE_HOST': '10.0.0.1'}


@pytest.mark.parametrize(('environment', 'expected'), [
    ({}, ''),
    (SLURM, 'slurm'),
    (SLURM | {'SLURM_STEP_NUM_TASKS': '1'}, ''),  # srun --ntasks=1 --pty bash
    ({'SLURM_JOB_ID': '7', 'SLURM_NTASKS': '2'}, ''),  # sbatch without srun
    ({'OMPI_COMM_WORLD_SIZE': '2', 'OMPI_MCA_orte_hnp_uri': '1.0;tcp://h:1'},
     'ompi'),
    (SLURM | {'OMPI_COMM_WORLD_SIZE': '2',
              'OMPI_MCA_orte_hnp_uri': '1.0;tcp://h:1'}, 'ompi'),
    ({'OMPI_COMM_WORLD_SIZE': '1'}, ''),
    ({'TPU_WORKER_HOSTNAMES': 'a,b'}, 'gketpu'),
    ({'TPU_WORKER_HOSTNAMES': 'localhost'}, ''),
    ({'TPU_WORKER_HOSTNAMES': 'a', 'MEGASCALE_NUM_SLICES': '2'}, 'gketpu'),
    (POD, ''), (POD | {'JOB_COMPLETION_INDEX': '0'}, 'Kubernetes')])
def test_launcher(environment, expected, monkeypatch):
  """Only where there are several processes; a pod of a plain job is alone."""
  monkeypatch.setattr(initialize.util, 'find_spec', lambda name: True)
  assert launcher(environment) == expected
  monkeypatch.setattr(initialize.util, 'find_spec', lambda name: None)
  assert launcher(environment) == expected.replace('Kubernetes', '')


def test_new_open_mpi_is_told_what_to_do():
  """Version 5 hides the address; two processes must not train apart."""
  with pytest.raises(UserError, match='--coordinator=HOST:8476'):
    launcher({'OMPI_COMM_WORLD_SIZE': '2'})


@pytest.mark.parametrize(('changed', 'expected'), [
    ({}, [0, 1, 2, 3]),
    ({'SLURM_STEP_NUM_TASKS': '8'}, None),  # a process for each GPU
    ({'JAX_LOCAL_DEVICE_IDS': '0,1'}, None),
    ({'SLURM_GPUS_ON_NODE': ''}, None)])
def test_gpus_of_a_node(changed, expected):
  """One process on a node has all of them."""
  found = initialize._gpus_of_the_node(
      SLURM | {'SLURM_GPUS_ON_NODE': '4'} | changed)
  assert found == expected


@pytest.mark.parametrize(('arguments', 'message'), [
    (('auto', 'h:1', None, None), '--coordinator=h:1: --num_processes and '
     '--process_id missing'),
    (('auto', None, 2, 0), '--num_processes=2 --process_id=0: --coordinator '),
    (('off', 'h:1', 2, 0), '--distributed=off'),
    (('auto', 'h', 2, 0), 'expected host:port'),
    (('auto', ':1', 2, 0), 'expected host:port'),
    (('auto', 'h:70000', 2, 0), 'expected host:port'),
    (('auto', 'h:1', 2, 2), '--process_id=2'),
    (('auto', 'h:1', 0, 0), '--num_processes=0')])
def test_wrong_arguments(arguments, message):
  """Refused before anything is started."""
  with pytest.raises(UserError) as info, joined(
      *arguments, start_timeout=1, silence_timeout=1):
    raise AssertionError('joined')
  assert message in str(info.value)


@pytest.mark.parametrize('mode', ['auto', 'off'])
def test_alone(mode, monkeypatch):
  """A plain start, and one that is kept from joining, join nothing."""
  monkeypatch.setattr(
      initialize.jax.distributed, 'initialize', lambda **unused: 1 / 0)
  for name, value in (SLURM if mode == 'off' else {}).items():
    monkeypatch.setenv(name, value)
  with joined(mode, None, None, None, start_timeout=1, silence_timeout=1):
    pass


@pytest.fixture
def train(command, tmp_path):
  return functools.partial(
      command, 'train', '--config=demo', f'--workdir={tmp_path}')


@pytest.mark.multiprocess
def test_start_without_the_others(tmp_path):
  """One line in time: process 0 alone, and another one without process 0."""
  with socket.create_server(('127.0.0.1', 0)) as server:
    address = f'127.0.0.1:{server.getsockname()[1]}'

  def start(number):  # a process of its own: JAX joins once in each
    done = subprocess.run(
        [sys.executable, '-m', 'siamkpn_jax.train', '--config=demo',
         f'--coordinator={address}', '--num_processes=2', '--start_timeout=2',
         f'--process_id={number}', f'--workdir={tmp_path}'],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {'JAX_PLATFORMS': 'cpu'})
    return Done(done.returncode, done.stdout, done.stderr)

  assert_one_line(start(0), 'process 0 of 2', address,
                  'some processes have not joined', '2 s')
  assert_one_line(start(1), 'process 1 of 2', f'no answer from {address}',
                  'firewall')
  assert not list(tmp_path.iterdir())


def test_nothing_to_join(train):
  assert_one_line(train('--distributed=on'), '--distributed=on',
                  '--coordinator', '--distributed=off')


@pytest.mark.parametrize(('interrupted', 'flags', 'code'), [
    (False, [], 0), (False, ['--stopped_exit_code=75'], 75),
    (True, ['--stopped_exit_code=75'], 130)])
def test_exit_status_of_a_stopped_run(train, monkeypatch, interrupted, flags,
                                      code):
  """SIGTERM: 0, or what a scheduler is to see; Ctrl-C: 130."""
  def stop(*args, **kwargs):
    raise preemption.Preempted('run: stopped and saved',
                               interrupted=interrupted)

  monkeypatch.setattr(trainer, 'train', stop)
  done = train(*flags)
  assert done.returncode == code
  assert done.stderr == 'run: stopped and saved\n'
  assert 'trained' not in done.stdout


def test_signals_of_one_process():
  """SIGTERM may come twice; the second Ctrl-C does not wait."""
  before = signal.getsignal(signal.SIGTERM)
  with preemption.guard() as stop:
    assert not stop.after(1)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert stop.after(2) and not stop.interrupted
    signal.raise_signal(signal.SIGINT)
    assert stop.interrupted
    with pytest.raises(KeyboardInterrupt):
      signal.raise_signal(signal.SIGINT)
  assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_is_acknowledged_at_once(capsys, monkeypatch):
  """Though the main thread, as when it compiles, handles it later; once."""
  said, say = [], preemption.say
  monkeypatch.setattr(preemption, 'say', lambda line: (
      said.append(time.monotonic()), say(line)))
  with preemption.guard() as stop:
    timers = [threading.Timer(wait, signal.pthread_kill, [
        threading.main_thread().ident, signal.SIGTERM]) for wait in (0, 0.1)]
    for timer in timers:
      timer.start()
    hashlib.pbkdf2_hmac('sha256', b'', b'', 2_000_000)
    ended = time.monotonic()
    for timer in timers:
      timer.join()
    assert stop.after(1)
  assert capsys.readouterr().err == (
      'stopping after this step, saving a checkpoint ... (Ctrl-C again: '
      'without saving)\n')
  assert said[0] < ended - 0.2


@pytest.fixture
def three(monkeypatch):
  """As on process 0 of three; `rows` is what the processes tell."""
  rows = []
  monkeypatch.setattr(multihost.jax, 'process_count', lambda: 3)
  monkeypatch.setattr(multihost, 'gather_text', lambda text: [text, *rows])
  monkeypatch.setattr(multihost.socket, 'gethostname', lambda: 'a')
  return rows


def test_what_differs_is_named(three):
  """The host, both values, and how many more differ."""
  three[:] = 'b\none: 5\ntwo: 2', 'c\none: 1\ntwo: 2\nconfig.seed: 1'
  with pytest.raises(UserError) as info:
    multihost.check_same(['one: 1', 'two: 2'])
  assert str(info.value).startswith(
      'process 1 (b) has one: 5, process 0 (a) has one: 1; 1 more ')
  three[:] = 'b\none: 1', 'c\none: 1'
  multihost.check_same(['one: 1'])


def test_a_mistake_of_one_is_that_of_all(three, monkeypatch):
  """Told by process 0; the others leave without a word."""
  three[:] = '', 'disk: full'
  with pytest.raises(UserError, match='^process 2: disk: full$'):
    multihost.run_on_all_hosts(lambda: 1)
  monkeypatch.setattr(multihost, 'is_main_host', lambda: False)
  with pytest.raises(SystemExit, match='2'):
    multihost.run_on_all_hosts(lambda: 1)
  three[:] = '', ''
  assert multihost.run_on_all_hosts(lambda: 1) == 1
