"""Trains with several processes on this machine, as several hosts would.

  python launch/local.py --processes 2 --devices 2 --config configs/demo.py

Everything but the flags of this script goes to siamkpn_jax.train. To try out
several hosts, or to use the GPUs of one host with a process for each; one
process alone uses all devices of a machine as well.
"""

import argparse
import functools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

_GRACE = 15  # seconds in which the others may end when one has failed


def main(argv: Sequence[str]) -> int:
  """Runs all processes; the exit status of the first that fails, or 0."""
  flags, training = _parse(argv)
  with socket.create_server(('127.0.0.1', 0)) as server:  # finds a free port
    port = server.getsockname()[1]
  processes = []
  try:
    for k, environment in enumerate(_environments(flags)):
      processes.append(_Process(k, environment, [
          *training, f'--coordinator=127.0.0.1:{port}',
          f'--num_processes={flags.processes}', f'--process_id={k}']))
    # A terminal sends Ctrl-C to all of them itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *unused: _pass_on(processes))
    return _wait(processes)
  finally:
    for process in processes:
      process.end()


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
  """This script's flags, and the arguments of training."""
  parser = argparse.ArgumentParser(
      description='All other arguments go to siamkpn_jax.train.',
      allow_abbrev=False)
  parser.add_argument('--processes', type=int, required=True)
  parser.add_argument('--devices', type=int, default=1,
                      help='of each process (default: 1)')
  parser.add_argument('--platform', choices=['cpu', 'gpu'], default='cpu')
  flags, training = parser.parse_known_args(argv)
  if flags.processes < 1 or flags.devices < 1:
    parser.error('--processes and --devices: expected 1 or more')
  wanted = flags.processes * flags.devices
  if flags.platform == 'gpu' and len(_gpus()) < wanted:
    parser.error(f'{wanted} GPUs wanted, {len(_gpus())} found; expected no '
                 'more: change --processes or --devices')
  return flags, training


def _environments(flags: argparse.Namespace) -> Iterator[dict[str, str]]:
  """Of each process; it says which devices there are."""
  for k in range(flags.processes):
    if flags.platform == 'gpu':
      mine = _gpus()[k * flags.devices:(k + 1) * flags.devices]
      yield os.environ | {'CUDA_VISIBLE_DEVICES': ','.join(mine)}
    else:
      yield os.environ | {'JAX_PLATFORMS': 'cpu',
                          'JAX_NUM_CPU_DEVICES': str(flags.devices)}


@functools.cache
def _gpus() -> list[str]:
  """The GPUs that may be used, as CUDA_VISIBLE_DEVICES names them."""
  visible = os.environ.get('CUDA_VISIBLE_DEVICES')
  if visible is not None:
    return [gpu for gpu in visible.split(',') if gpu]
  try:
    found = subprocess.run(['nvidia-smi', '--list-gpus'], check=False,
                           capture_output=True, text=True).stdout
  except FileNotFoundError:
    return []
  return [str(k) for k in range(len(found.splitlines()))]


class _Process(subprocess.Popen[str]):
  """Process 0 has the terminal; the others' lines are printed with a number."""

  def __init__(self, number: int, environment: dict[str, str],
               arguments: list[str]):
    piped: dict[str, Any] = {} if number == 0 else {
        'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE,
        'stderr': subprocess.STDOUT}
    super().__init__(
        [sys.executable, '-m', 'siamkpn_jax.train', *arguments],
        env=environment, text=True, errors='replace', **piped)
    self._relay = threading.Thread(target=self._print, args=(number,))
    self._relay.start()

  def _print(self, number: int) -> None:
    for line in self.stdout or ():
      print(f'[{number}] {line.rstrip()}', file=sys.stderr, flush=True)

  def end(self) -> None:
    """Kills it if it still runs, and prints the rest of its output."""
    self.kill()
    self.wait()
    self._relay.join()


def _pass_on(processes: Sequence[_Process]) -> None:
  """SIGTERM: training saves and ends."""
  for process in processes:
    process.terminate()


def _wait(processes: Sequence[_Process]) -> int:
  """The first failure's exit status, as a shell tells it; 0 without one."""
  status, deadline = 0, float('inf')
  while True:
    codes = [process.poll() for process in processes]
    failed = next((k for k, code in enumerate(codes) if code), None)
    if failed is not None and not status:
      code = codes[failed] or 0
      status = code if code > 0 else 128 - code
      deadline = time.monotonic() + _GRACE
      print(f'process {failed} ended with exit status {status}',
            file=sys.stderr)
    if None not in codes or time.monotonic() > deadline:
      return status
    time.sleep(0.1)


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
