"""Every module imports where calls that only Linux has are missing."""

import subprocess
import sys
from pathlib import Path

import siamkpn_jax

# Other packages come first, as they are: they have their own ways on Windows,
# taken by sys.platform.
SCRIPT = """
import ast, contextlib, importlib, os, pkgutil, signal, sys
from pathlib import Path

root = Path(sys.argv[1])
for path in root.rglob('*.py'):
  for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
    names = []
    if isinstance(node, ast.Import):
      names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
      names = [node.module] + [
          f'{node.module}.{alias.name}' for alias in node.names]
    for name in names:
      if name.split('.')[0] != 'siamkpn_jax':
        with contextlib.suppress(ImportError):
          importlib.import_module(name)

for name in ('fcntl', 'resource', 'termios', 'pwd', 'grp', 'pty', 'tty'):
  sys.modules[name] = None
for name in ('sched_getaffinity', 'sched_setaffinity', 'fork', 'getuid',
             'geteuid', 'uname', 'killpg', 'mkfifo', 'statvfs', 'getpgid',
             'setsid', 'posix_fadvise', 'pipe2', 'O_CLOEXEC', 'O_DIRECTORY'):
  delattr(os, name)
for name in ('SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGALRM', 'SIGKILL', 'SIGCHLD'):
  delattr(signal, name)

from absl import flags
others = set(flags.FLAGS)
for module in pkgutil.walk_packages([str(root)], 'siamkpn_jax.'):
  try:
    importlib.import_module(module.name)
    print(module.name)
  except ModuleNotFoundError as error:  # of an extra that is not installed
    if sys.modules.get(error.name, 0) is None:
      raise
  for name in set(flags.FLAGS) - others:  # entry points share names of flags
    delattr(flags.FLAGS, name)
from siamkpn_jax.core.cpu_devices import cores
assert cores() == (os.cpu_count() or 1)
"""


def test_modules_import_elsewhere():
  root = Path(siamkpn_jax.__file__).parent
  done = subprocess.run(
      [sys.executable, '-W', 'ignore', '-c', SCRIPT, str(root)], text=True,
      capture_output=True, cwd=root.parent, check=False)
  assert not done.returncode, done.stderr
  assert {'siamkpn_jax.train', 'siamkpn_jax.core.file_lock'} < {
      *done.stdout.split()}
