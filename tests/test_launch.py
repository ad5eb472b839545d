"""What the files in launch/ do, with stand-ins for the cluster's programs."""

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest
import yaml

LAUNCH = Path(__file__).parents[1] / 'launch'


def load(name):
  """launch/<name>.py as a module."""
  spec = importlib.util.spec_from_file_location(name, LAUNCH / f'{name}.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.fixture
def local():
  return load('local')


def _visible(local, *arguments):
  flags, training = local._parse([*arguments, '--config=c.py', '--debug'])
  assert training == ['--config=c.py', '--debug']
  return list(local._environments(flags))


def test_devices_of_local_processes(local, monkeypatch):
  """CPUs by number, GPUs split among the processes."""
  for found in _visible(local, '--processes=2', '--devices=3'):
    assert found['JAX_PLATFORMS'] == 'cpu'
    assert found['JAX_NUM_CPU_DEVICES'] == '3'
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,6,GPU-x,7')
  found = _visible(local, '--processes=2', '--devices=2', '--platform=gpu')
  assert [x['CUDA_VISIBLE_DEVICES'] for x in found] == ['5,6', 'GPU-x,7']


def test_too_many_gpus(local, monkeypatch, capsys):
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5')
  with pytest.raises(SystemExit, match='2'):
    _visible(local, '--processes=2', '--platform=gpu')
  assert '2 GPUs wanted, 1 found' in capsys.readouterr().err


def _run(tmp_path, script, *arguments, programs, **variables):
  """A script with programs of a few lines in its way."""
  for name, text in programs.items():
    (tmp_path / name).write_text(f'#!/bin/bash\n{text}\n')
    (tmp_path / name).chmod(0o755)
  return subprocess.run(
      ['bash', str(LAUNCH / script), *arguments], cwd=tmp_path, check=False,
      capture_output=True, text=True, env=variables | {
          'PATH': f'{tmp_path}:{os.environ["PATH"]}'})


@pytest.mark.parametrize(('status', 'requeued'), [
    (75, True), (0, False), (2, False)])
def test_slurm_queues_again(tmp_path, status, requeued):
  """A run that was stopped, not one that is done or has failed."""
  done = _run(tmp_path, 'slurm.sbatch', '--workdir=a b', programs={
      'srun': f'printf "<%s>" "$@"; exit {status}',
      'scontrol': 'echo "scontrol $*"'},
              SLURM_CPUS_PER_TASK='4', SLURM_JOB_ID='17')
  assert done.returncode == status
  assert '<siamkpn_jax.train><--stopped_exit_code=75><--workdir=a b>' in (
      done.stdout)
  assert done.stdout.endswith('scontrol requeue 17\n') == requeued


def test_slurm_has_a_process_on_each_node():
  """Signaled in time, and allowed to be queued again."""
  options = [line.removeprefix('#SBATCH ') for line in
             (LAUNCH / 'slurm.sbatch').read_text().splitlines()
             if line.startswith('#SBATCH ')]
  for option in ('--ntasks-per-node=1', '--signal=TERM@60', '--requeue',
                 '--open-mode=append'):
    assert option in options


def test_tpu_vm_quotes(tmp_path):
  """On all workers, arguments as they were given."""
  (tmp_path / 'my code' / '.venv' / 'bin').mkdir(parents=True)
  programs = {
      'gcloud': 'for last in "$@"; do :; done; echo "$@" > seen; '
                'bash -c "${last#--command=}"',
      'my code/.venv/bin/python': 'printf "<%s>" "$@"'}
  arguments = ["--config.data.sets=('a','b c')", '--workdir=$HOME']
  done = _run(tmp_path, 'tpu_vm.sh', *arguments, programs=programs, TPU='t',
              ZONE='z', FOLDER='my code')
  assert (done.returncode, done.stderr) == (0, '')
  assert done.stdout == ''.join(f'<{x}>' for x in (
      '-m', 'siamkpn_jax.train', '--distributed=on', *arguments))
  seen = (tmp_path / 'seen').read_text()
  assert seen.startswith('compute tpus tpu-vm ssh t --zone=z --worker=all ')


def test_tpu_vm_without_a_name(tmp_path):
  done = _run(tmp_path, 'tpu_vm.sh', programs={'gcloud': 'echo called'})
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr.startswith('error: TPU and ZONE: expected')


def test_kubernetes():
  """Names that must fit each other, for the pods to find process 0."""
  service, job = yaml.safe_load_all((LAUNCH / 'kubernetes.yaml').read_text())
  assert (service['kind'], job['kind']) == ('Service', 'Job')
  assert service['spec']['clusterIP'] == 'None'
  assert service['spec']['publishNotReadyAddresses'] is True
  name = job['metadata']['name']
  assert service['spec']['selector'] == {'job-name': name}
  spec, pod = job['spec'], job['spec']['template']['spec']
  assert spec['completionMode'] == 'Indexed'
  assert spec['completions'] == spec['parallelism']
  assert pod['subdomain'] == service['metadata']['name']
  assert pod['restartPolicy'] == 'Never'  # podFailurePolicy asks for it
  (container,) = pod['containers']
  arguments = dict(x.removeprefix('--').split('=', 1)
                   for x in container['args'])
  host, port = arguments['coordinator'].split(':')
  assert host == f'{name}-0.{pod["subdomain"]}' and port.isdigit()
  assert arguments['num_processes'] == str(spec['completions'])
  assert arguments['process_id'] == '$(PROCESS_ID)'
  assert [x['name'] for x in container['env']] == ['PROCESS_ID']
  rule = spec['podFailurePolicy']['rules'][0]
  assert rule['action'] == 'Ignore'
  assert rule['onExitCodes']['containerName'] == container['name']
  assert rule['onExitCodes']['values'] == [int(arguments['stopped_exit_code'])]
  volumes = {x['name'] for x in pod['volumes']}
  assert {x['name'] for x in container['volumeMounts']} == volumes
  assert arguments['workdir'].startswith('/runs/')
