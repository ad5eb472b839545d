"""Several processes that train as one: how they meet, and how they part.

JAX does the work; this adds when to try it, mistakes told in one line, and an
end in bounded time when one of the processes fails.
"""

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import util
from typing import Any

import jax
from jax.experimental import multihost_utils

from siamkpn_jax.core.compilation_cache import leave_compilation_cache
from siamkpn_jax.core.errors import UserError, first_line
from siamkpn_jax.core.numbers import is_count
from siamkpn_jax.distributed.preemption import Preempted
from siamkpn_jax.distributed.watch import Watch

_FLAGS = ('coordinator', 'num_processes', 'process_id')
# After an error, how long the others may take to fail too. JAX then ends those
# that did not.
_PARTING = 10  # seconds
_SILENT = 10  # seconds after which a process is said to be silent


@contextlib.contextmanager
def joined(mode: str, coordinator: str | None, num_processes: int | None,
           process_id: int | None, *, start_timeout: int,
           silence_timeout: int) -> Iterator[None]:
  """Makes this process one of those that train together, for a `with` block.

  Must be entered before JAX is asked for devices. Does nothing where there is
  only this process.

  Args:
    mode: 'auto' joins if the other arguments are given or the environment
      shows a launcher of several processes, 'on' always, 'off' never.
    coordinator: 'host:port' of process 0; None, as the next two: found by JAX.
    num_processes: how many there are.
    process_id: which one this is, 0 .. num_processes - 1.
    start_timeout: seconds until all must have come.
    silence_timeout: seconds after which a process that is not heard of counts
      as dead; the others then end.

  Raises:
    UserError: arguments that are incomplete or wrong, or nothing to join; or
      that of the block, with the number of this process unless it is 0.
  """
  arguments = _arguments(mode, coordinator, num_processes, process_id)
  found = '' if arguments or mode == 'off' else launcher(os.environ)
  if not (arguments or found or mode == 'on'):
    yield
    return
  _initialize(arguments, found, start_timeout, silence_timeout)
  stopped = None
  watch = Watch(min(_SILENT, silence_timeout / 2))
  try:
    try:
      yield
    except Preempted as error:  # by all processes
      stopped = error
    # JAX's own wait for the others is short.
    multihost_utils.sync_global_devices('end of training')
  except Exception as error:
    gone = watch.missing(error)
    k = jax.process_index()
    if gone is None and not isinstance(error, UserError):
      _explain(error)
      raise
    _part(2)
    if gone is not None:
      raise UserError(
          f'process {gone} ended (it died, or cannot be reached), and process '
          f'{k} cannot go on alone: see the output of process {gone}; run the '
          'same command to resume from the newest checkpoint') from error
    raise UserError(f'process {k}: {error}' if k else str(error)) from error
  except BaseException as error:
    _explain(error)
    raise
  finally:
    watch.close()
  jax.distributed.shutdown()
  if stopped is not None:
    raise stopped


def _explain(error: BaseException) -> None:
  """Says which process has an error, and ends it a little later."""
  error.add_note(f'in process {jax.process_index()} of '
                 f'{jax.process_count()}; if another one stopped first, see '
                 'its output')
  _part(_exit_code(error))


def _arguments(mode: str, coordinator: str | None, num_processes: int | None,
               process_id: int | None) -> dict[str, Any]:
  """What `jax.distributed.initialize` takes; {} where nothing is given."""
  values = (coordinator, num_processes, process_id)
  given: dict[str, Any] = {
      name: value for name, value in zip(_FLAGS, values, strict=True)
      if value is not None}
  if not given:
    return {}
  flags = ' '.join(f'--{name}={value}' for name, value in given.items())
  if mode == 'off':
    raise UserError(f'{flags}: not used with --distributed=off: omit one of '
                    'them')
  missing = [f'--{name}' for name in _FLAGS if name not in given]
  if missing:
    raise UserError(f'{flags}: {" and ".join(missing)} missing; expected all '
                    'three, or none on a detected cluster')
  address, count, number = given.values()
  host, _, port = address.rpartition(':')
  if not host or not is_count(port) or not 0 < int(port) < 2**16:
    raise UserError(f'--coordinator={address}: expected host:port of '
                    'process 0, such as 10.0.0.1:8476')
  if not 0 <= number < count:
    raise UserError(f'--process_id={number} --num_processes={count}: expected '
                    '0 <= process_id < num_processes')
  return {'coordinator_address': address, 'num_processes': count,
          'process_id': number}


def launcher(environment: Mapping[str, str]) -> str:
  """What started this process as one of several, '' if nothing did.

  One process alone stays alone, even in a cluster's shell.

  Args:
    environment: the variables.

  Returns:
    The name by which JAX knows it, 'Kubernetes' where it has none.

  Raises:
    UserError: an MPI whose processes JAX cannot gather by itself.
  """
  get = lambda name: environment.get(name, '')
  several = lambda name: is_count(get(name)) and int(get(name)) > 1
  if several('OMPI_COMM_WORLD_SIZE'):
    if 'OMPI_MCA_orte_hnp_uri' in environment:
      return 'ompi'
    raise UserError(
        'Open MPI 5 or newer does not provide the address of process 0: start '
        "with mpirun ... bash -c 'python -m siamkpn_jax.train ... "
        '--coordinator=HOST:8476 --num_processes=$OMPI_COMM_WORLD_SIZE '
        "--process_id=$OMPI_COMM_WORLD_RANK', or pass --distributed=off")
  if 'SLURM_STEP_NODELIST' in environment and several('SLURM_STEP_NUM_TASKS'):
    return 'slurm'
  hosts = get('TPU_PROCESS_ADDRESSES') or get('TPU_WORKER_HOSTNAMES')
  if ',' in hosts or several('MEGASCALE_NUM_SLICES'):
    return 'gketpu'
  # Only pods of an Indexed Job have a number, and JAX asks the cluster by a
  # package of its own.
  if (get('KUBERNETES_SERVICE_HOST') and get('JOB_COMPLETION_INDEX') and
      util.find_spec('kubernetes')):
    return 'Kubernetes'
  return ''


def _initialize(arguments: dict[str, Any], found: str, start_timeout: int,
                silence_timeout: int) -> None:
  who = (f'process {arguments["process_id"]} of {arguments["num_processes"]}'
         if arguments else f'started by {found or "--distributed=on"}')
  if arguments:  # of devices, JAX's detection would take one for each process
    arguments = arguments | {'cluster_detection_method': 'deactivate'}
  elif found == 'slurm':
    arguments = {'local_device_ids': _gpus_of_the_node(os.environ)}
  leave_compilation_cache()
  # JAX aborts with a stack trace when its own time is over.
  with _deadline(start_timeout, lambda: _nobody_came(
      who, arguments.get('coordinator_address'), start_timeout)):
    try:
      jax.distributed.initialize(
          **arguments, initialization_timeout=start_timeout + 60,
          heartbeat_timeout_seconds=silence_timeout,
          shutdown_timeout_seconds=_PARTING)
    # Of the network, the environment, the metadata of a cluster.
    except (RuntimeError, ValueError, OSError, LookupError, ImportError
            ) as error:
      reason = first_line(error)
      raise UserError(
          f'{who}: cannot join the other processes ({reason}): set '
          '--coordinator, --num_processes and --process_id, or '
          '--distributed=off to train alone') from error


def _gpus_of_the_node(environment: Mapping[str, str]) -> list[int] | None:
  """All GPUs where SLURM runs one process on each node; None: JAX's choice.

  JAX would take one GPU for each process.
  """
  get = lambda name: environment.get(name, '')
  alone = get('SLURM_STEP_NUM_TASKS') == get('SLURM_STEP_NUM_NODES')
  gpus = get('SLURM_GPUS_ON_NODE')
  if not alone or not is_count(gpus) or get('JAX_LOCAL_DEVICE_IDS'):
    return None
  return list(range(int(gpus)))


def _nobody_came(who: str, coordinator: str | None, timeout: int) -> str:
  """The message when time is over."""
  if not coordinator:  # the cluster says which one
    what = ('not all processes found each other; expected one for each task of '
            'the job: check their output, and the firewall between the hosts')
  elif _answers(coordinator):
    what = (f'{coordinator} answers, but some processes have not joined; '
            'expected one for each --process_id: check the output of the '
            'others')
  else:
    what = (f'no answer from {coordinator}; expected process 0 there: check '
            'the address, that it is running, and the firewall')
  return f'{who}: {what} (waited {timeout} s, --start_timeout)'


def _answers(address: str) -> bool:
  host, _, port = address.rpartition(':')
  try:
    with socket.create_connection((host.strip('[]'), int(port)), timeout=5):
      return True
  except OSError:
    return False


@contextlib.contextmanager
def _deadline(seconds: float, message: Callable[[], str]) -> Iterator[None]:
  """Ends the process with a message if the block takes longer."""
  def give_up():
    print(f'error: {message()}', file=sys.stderr)
    _leave(2)
  timer = threading.Timer(seconds, give_up)
  timer.daemon = True
  timer.start()
  try:
    yield
  finally:
    timer.cancel()


def _part(code: int) -> None:
  """Ends the process a little later, in whatever it then waits for.

  At its end JAX waits for all processes. Those that fail too come in time; the
  others do not, and when the wait is over JAX ends them.
  """
  timer = threading.Timer(_PARTING - 2, _leave, [code])
  timer.daemon = True
  timer.start()


def _leave(code: int) -> None:
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(code)


def _exit_code(error: BaseException) -> int:
  """As `cli.command.execute` returns it, of errors that are no UserError."""
  if isinstance(error, SystemExit):
    return error.code if isinstance(error.code, int) else 1
  if isinstance(error, KeyboardInterrupt):
    return 130
  return 2 if isinstance(error, OSError) else 1
