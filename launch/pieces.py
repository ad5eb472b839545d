"""Trains in pieces: for queues that end a job after some minutes.

  python launch/pieces.py --minutes 8 --output out --state out/run.tar \
    --config configs/kpn3s_nano.py --workdir runs/nano

Everything but the flags of this script goes to siamkpn_jax.train. The output
gets run.tar, with which the next piece goes on, also on another machine, and
the weights so far, to track with. The machine needs no network: packages that
it lacks can lie beside the checkout, as wheels/*.whl.
"""

import argparse
import contextlib
import importlib.util
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_SAVED = 75  # exit status of training: stopped, and saved
_GRACE = 90  # seconds in which it may save
_LOGS = ('config.json', 'metrics.jsonl')  # of a workdir; both small
_STATE = 'run.tar'


def main(argv: Sequence[str]) -> int:
  """Trains for a while; 0 if that is saved, else training's exit status."""
  end = time.monotonic()
  flags, training = _parse(argv)
  end += 60 * flags.minutes
  workdir = flags.workdir
  with tempfile.TemporaryDirectory() as packages:
    unpack_wheels(flags.wheels, Path(packages))
    sys.path[:0] = [str(ROOT)]
    sys.path.append(packages)
    if flags.state and flags.state.exists():
      try:
        there, here = state_step(flags.state), newest(workdir)
        if not here:
          unpack_state(flags.state, workdir)
        elif there > here:
          print(f'error: --state {flags.state} is of step {there}, newer than '
                f'step {here} in {workdir}; expected a workdir that is as far, '
                'or none: remove it, or give another', file=sys.stderr)
          return 2
      except (tarfile.TarError, OSError) as error:
        print(f'error: --state {flags.state}: {error}; expected the whole '
              f'{_STATE} of the piece before: carry it again', file=sys.stderr)
        return 2
    before = newest(workdir)
    status = _train([*training, f'--workdir={workdir}'], packages, end)
    if newest(workdir) > before:  # also where training failed later
      flags.output.mkdir(parents=True, exist_ok=True)
      pack_state(workdir, flags.output / _STATE)
      _export(workdir, flags.output, packages)
      print(summary(workdir, before), flush=True)
  if status == _SAVED:
    print(f'go on: {next_command(argv, flags.output)}')
  elif status in (128 + signal.SIGKILL, 128 + signal.SIGTERM):
    print(f'error: training was ended before it could save (exit status '
          f'{status}); expected time to compile and save: give it more '
          '--minutes', file=sys.stderr)
  elif status:
    print(f'error: training ended with exit status {status}: see above',
          file=sys.stderr)
  return 0 if status == _SAVED else status


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
  """This script's flags, and the arguments of training."""
  parser = argparse.ArgumentParser(
      description='All other arguments go to siamkpn_jax.train.',
      allow_abbrev=False)
  parser.add_argument('--minutes', type=float, required=True,
                      help='after which training is told to save and end; '
                      'leave two or so for that')
  parser.add_argument('--workdir', type=Path, required=True,
                      help='of the run, as for training')
  parser.add_argument('--output', type=Path, required=True,
                      help=f'folder that gets {_STATE} and the weights')
  parser.add_argument('--state', type=Path,
                      help=f'{_STATE} of the piece before, where the workdir '
                      'has no checkpoint (a newer one in it is used, an older '
                      'one is an error); may be missing for the first')
  parser.add_argument('--wheels', type=Path, default=ROOT / 'wheels',
                      help='folder of *.whl, used where a package is missing '
                      '(default: %(default)s)')
  flags, training = parser.parse_known_args(argv)
  if flags.minutes <= 0:
    parser.error('--minutes: expected more than 0')
  return flags, training


def unpack_wheels(wheels: Path, home: Path) -> None:
  """Unpacks wheels of packages that cannot be imported here.

  Args:
    wheels: folder of them, which may be missing.
    home: gets their packages.
  """
  for wheel in sorted(wheels.glob('*.whl')):
    with zipfile.ZipFile(wheel) as archive:
      tops = {name.split('/')[0].removesuffix('.py')
              for name in archive.namelist()}
      packages = [top for top in tops if top.isidentifier()]
      if any(importlib.util.find_spec(package) is None
             for package in packages):
        archive.extractall(home)
        print(f'using {wheel.name}', flush=True)


def newest(workdir: Path) -> int:
  """The step of the newest checkpoint, 0 without any."""
  return max((int(path.name) for path in workdir.glob('checkpoints/*')
              if path.name.isdigit()), default=0)


def pack_state(workdir: Path, path: Path) -> None:
  """Writes what a run needs to go on: its newest checkpoint, and its logs.

  Args:
    workdir: of the run.
    path: of the tar file, which appears whole or not at all.
  """
  partial = path.with_name(f'.{path.name}')
  with tarfile.open(partial, 'w') as archive:
    for name in (f'checkpoints/{newest(workdir)}', *_LOGS):
      archive.add(workdir / name, name)
  partial.replace(path)


def state_step(path: Path) -> int:
  """The step of the checkpoint that `pack_state` wrote."""
  with tarfile.open(path) as archive:
    first = archive.next()
  name = Path(first.name).name if first else ''
  if not name.isdigit():
    raise tarfile.TarError('does not begin with a checkpoint')
  return int(name)


def unpack_state(path: Path, workdir: Path) -> None:
  """What `pack_state` wrote becomes a workdir without half a checkpoint.

  Args:
    path: of the tar file.
    workdir: without a checkpoint, but for half and damaged ones, which stay.
  """
  workdir.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(dir=workdir) as partial:
    with tarfile.open(path) as archive:
      archive.extractall(partial, filter='data')
    for name in _LOGS:
      (Path(partial) / name).replace(workdir / name)
    (workdir / 'checkpoints').mkdir(exist_ok=True)
    (step,) = (Path(partial) / 'checkpoints').iterdir()
    step.replace(workdir / 'checkpoints' / step.name)


def _train(arguments: Sequence[str], packages: str, end: float) -> int:
  """Trains until a time of the monotonic clock; the exit status."""
  process = _start('train', [*arguments, f'--stopped_exit_code={_SAVED}'],
                   packages)
  with _passed_on(process):
    for seconds, then in ((max(0.0, end - time.monotonic()),
                           process.terminate), (_GRACE, process.kill)):
      try:
        process.wait(seconds)
      except subprocess.TimeoutExpired:
        then()
    status = process.wait()
  return status if status >= 0 else 128 - status  # as a shell tells it


def _start(command: str, arguments: Sequence[str],
           packages: str) -> subprocess.Popen:
  """A command of the package, which sees the unpacked wheels."""
  known = os.environ.get('PYTHONPATH')
  path = [str(ROOT), *([known] if known else []), packages]
  return subprocess.Popen(
      [sys.executable, '-m', f'siamkpn_jax.{command}', *arguments],
      env=os.environ | {'PYTHONPATH': os.pathsep.join(path)})


@contextlib.contextmanager
def _passed_on(process: subprocess.Popen) -> Iterator[None]:
  """SIGTERM, as of a queue that wants its machine, ends the training."""
  previous = signal.signal(
      signal.SIGTERM, lambda *unused: process.terminate())
  # A terminal sends Ctrl-C to both.
  interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, previous)
    signal.signal(signal.SIGINT, interrupt)


def _export(workdir: Path, output: Path, packages: str) -> None:
  """Weights of the newest checkpoint and of the best that is there."""
  for step in sorted({newest(workdir), _best(workdir)[0]}):
    path = workdir / 'checkpoints' / str(step)
    if path.is_dir():
      status = _start('export', [
          f'--weights={path}', '--overwrite',
          f'--output={output / f"weights_{step}.safetensors"}'],
                      packages).wait()
      if status:
        print(f'note: {path} is not exported (exit status {status})',
              file=sys.stderr)


def _best(workdir: Path) -> tuple[int, float | None]:
  """Step and success AUC of the best validation, (0, None) without any."""
  from siamkpn_jax.training.metrics import best_validation
  return best_validation(_rows(workdir)) or (0, None)


def _rows(workdir: Path) -> list[dict[str, Any]]:
  from siamkpn_jax.training.metrics import read_log
  return read_log(workdir / 'metrics.jsonl')


def summary(workdir: Path, before: int) -> str:
  """How far a run is, how fast, and how good.

  Args:
    workdir: of the run.
    before: steps that it had done when the piece began.
  """
  import json

  from siamkpn_jax.config.settings import config_from_dict
  config = json.loads((workdir / 'config.json').read_text())
  total = config_from_dict(config).train.total_steps
  step = newest(workdir)
  speeds = [row['pairs_per_second'] for row in _rows(workdir)
            if 'pairs_per_second' in row and row['step'] > before]
  best, score = _best(workdir)
  return ', '.join([
      f'step {step:,} of {total:,} ({step - before:,} in this piece)',
      *([f'{statistics.median(speeds):.1f} pairs/s'] if speeds else []),
      'not validated yet' if score is None else
      f'best in validation: success AUC {score:.3f} at step {best:,}'])


def next_command(argv: Sequence[str], output: Path) -> str:
  """The command of the next piece: from the state that this one has left."""
  parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
  parser.add_argument('--state')
  _, others = parser.parse_known_args(argv)
  return shlex.join(['python', 'launch/pieces.py', *others,
                     f'--state={output / _STATE}'])


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
