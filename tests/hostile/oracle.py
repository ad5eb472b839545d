"""What a reader may do with an input, and what is a crash.

It returns, or raises `UserError` of one line (or what its documentation says).
A crash is any other exception or warning, more than 5 s of computing, ten
minutes of waiting for something other than a processor, more than 1 GiB of
memory, a file written outside of its folder, a process, a connection, an
unpickled object.
"""

import contextlib
import dataclasses
import io
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from siamkpn_jax.core.errors import UserError

try:
  import resource
except ImportError:  # Windows
  resource = None  # type: ignore[assignment]

SECONDS, WAITING, MEMORY = 5, 600, 2**30
_TICK = 1.0  # second
# In memory, where there is such a place.
_PLACE = '/dev/shm' if os.path.isdir('/dev/shm') else None
_NEVER = ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn',
          'socket.connect', 'pickle.find_class', 'ctypes.dlopen')
_MOVES = ('os.remove', 'os.rename', 'os.mkdir', 'os.rmdir', 'os.link',
          'os.symlink', 'os.truncate', 'os.chmod', 'shutil.rmtree')


class Forbidden(BaseException):
  """What no reader may do; no `except Exception` hides it."""


@dataclasses.dataclass(frozen=True)
class Target:
  """A reader, and what it reads.

  Attributes:
    name: of it.
    valid: makes files that it reads; see `content.Files`.
    read: reads a folder, and does with what was read what a command would.
    allowed: what it may raise beside `UserError`.
    slow: a few inputs per second, so that it is rarely its turn.
  """
  name: str
  valid: Callable[[], Mapping[str, Any]]
  read: Callable[[Path], object]
  allowed: tuple[type[Exception], ...] = ()
  slow: bool = False


@dataclasses.dataclass(frozen=True)
class Crash:
  """A crash: its kind, equal for those of one place, and the whole story."""
  kind: str
  story: str


class _Guard:
  """Watches what Python opens, while there is a folder."""

  def __init__(self) -> None:
    self.folder = self.other = ''  # for files, and for temporary ones
    self.broken = ''  # what was done, even if the exception was swallowed
    self.hooked = False

  @contextlib.contextmanager
  def __call__(self, folder: Path) -> Iterator[None]:
    temporary = tempfile.gettempdir()
    if not self.hooked:  # there is no way to remove one
      sys.addaudithook(self._hook)
      self.hooked = True
    with tempfile.TemporaryDirectory(dir=_PLACE, prefix='hostile_') as other:
      tempfile.tempdir = self.other = os.path.realpath(other)
      self.folder, self.broken = os.path.realpath(folder), ''
      try:
        yield
      finally:
        self.folder, tempfile.tempdir = '', temporary

  def _hook(self, event: str, args: tuple) -> None:
    if not self.folder:
      return
    if event == 'open':
      path, mode, flags = args
      writes = (any(c in mode for c in 'wax+') if isinstance(mode, str) else
                bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))
      if writes and isinstance(path, str | bytes):
        self._check(event, path)
    elif event in _MOVES:
      for path in args[:2]:
        if isinstance(path, str | bytes):
          self._check(event, os.path.join(_home(args[-1]), os.fsdecode(path)))
    elif event in _NEVER and not (
        event == 'ctypes.dlopen' or (event == 'pickle.find_class' and
        str(args[0]).startswith(('numpy', 'torch', 'collections', '_codecs')))):
      self._refuse(f'{event} {args!r:.200}')

  def _check(self, event: str, path: str | bytes) -> None:
    text = os.fsdecode(path)
    if text == os.devnull:
      return
    folder, self.folder = self.folder, ''  # realpath may be audited, too
    try:
      inside = f'{os.path.realpath(text)}/'.startswith(
          (f'{folder}/', f'{self.other}/'))
    except ValueError:  # a NUL: the call itself will fail
      inside = True
    finally:
      self.folder = folder
    if not inside:
      self._refuse(f'{event} {text!r:.200}')

  def _refuse(self, what: str) -> None:
    self.broken = what
    raise Forbidden(what)


def _home(folder: object) -> str:
  """The folder that an open one is, to which a path is relative."""
  if type(folder) is not int or folder < 0:
    return ''
  try:
    return os.readlink(f'/proc/self/fd/{folder}')
  except OSError:
    return ''


_guard = _Guard()


def attempt(target: Target, files: Mapping[str, bytes]) -> Crash | None:
  """Lets a reader read files in a folder of their own.

  Returns:
    None if all is well, or if no disk can hold the files.
  """
  with tempfile.TemporaryDirectory(dir=_PLACE, prefix='hostile_',
                                   ignore_cleanup_errors=True) as home:
    folder = Path(home) / 'set'
    folder.mkdir()
    return read(target, folder) if write(folder, files) else None


def write(folder: Path, files: Mapping[str, bytes]) -> bool:
  """Writes files; False if no disk can hold them."""
  try:
    for name, data in files.items():
      path = folder / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(data)
  except (OSError, ValueError):  # a name too long, a folder in its place
    return False
  return True


def read(target: Target, folder: Path) -> Crash | None:
  """Lets a reader read a folder."""
  # The guard ends first: then what it wrote in the log can be shown.
  try:
    with (contextlib.redirect_stderr(io.StringIO()),
          contextlib.redirect_stdout(io.StringIO()), _limited(),
          _guard(folder), warnings.catch_warnings()):
      warnings.simplefilter('error')
      warnings.simplefilter('ignore', ResourceWarning)
      target.read(folder)
  except UserError as error:
    return _broken() or _several_lines(str(error))
  except target.allowed:
    return _broken()
  except (Exception, Forbidden) as error:
    return _crash(error)
  return _broken()


def _broken() -> Crash | None:
  return Crash(f'forbidden: {_guard.broken[:60]}', _guard.broken
               ) if _guard.broken else None


def _several_lines(message: str) -> Crash | None:
  return Crash('a message of several lines', message
               ) if '\n' in message else None


def _crash(error: BaseException) -> Crash:
  frames = traceback.extract_tb(error.__traceback__)
  ours = [f for f in frames if 'siamkpn_jax/' in f.filename.replace('\\', '/')
          and '/tests/' not in f.filename]
  place = ours[-1] if ours else frames[-1]
  return Crash(
      f'{type(error).__name__} at {Path(place.filename).name}:{place.lineno}',
      ''.join(traceback.format_exception(error))[-20_000:])


class _Clock:
  """Ends what takes too long; set up once, since a late signal would kill.

  Computing is measured of the process, and a wait in ticks. A process that is
  stopped gets one tick at most, and one that waits for a processor has none
  counted: neither is a fault of the reader.
  """

  def __init__(self) -> None:
    self.ready = self.running = False
    self.ticks = 0
    self.delay = 0.0

  def start(self) -> None:
    if not self.ready:
      signal.signal(signal.SIGPROF, self._computed)
      signal.signal(signal.SIGALRM, self._waited)
      self.ready = True
    self.running, self.ticks, self.delay = True, 0, _delay()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, _TICK, _TICK)

  def stop(self) -> None:
    self.running = False
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)

  def _computed(self, *_) -> None:
    if self.running:
      raise Forbidden(f'more than {SECONDS} s of computing')

  def _waited(self, *_) -> None:
    before, self.delay = self.delay, _delay()
    self.ticks += self.delay < before + _TICK / 2
    if self.running and self.ticks * _TICK > WAITING:
      raise Forbidden(f'more than {WAITING} s of waiting, with less than '
                      f'{SECONDS} s of computing')


def _delay() -> float:
  """Seconds that this process waited for a processor."""
  try:
    with open('/proc/self/schedstat', 'rb') as file:
      return int(file.read().split()[1]) / 1e9
  # Not on this system, or called where a reader went too deep.
  except (OSError, ValueError, IndexError, RecursionError, MemoryError):
    return 0.0


_clock = _Clock()


@contextlib.contextmanager
def _limited() -> Iterator[None]:
  """Time and memory have an end."""
  if resource is None or not hasattr(signal, 'setitimer'):
    yield
    return
  before = resource.getrlimit(resource.RLIMIT_AS)
  with contextlib.suppress(OSError, ValueError):
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (
        pages * resource.getpagesize() + MEMORY, before[1]))
  _clock.start()
  try:
    yield
  finally:
    _clock.stop()
    resource.setrlimit(resource.RLIMIT_AS, before)
