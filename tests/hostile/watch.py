"""Says where a run stands that does not go on, which no Python code can then.

A signal reaches Python code only when a library returns. If it never does:
one that computes is ended, by time of the processor, which a paused or
starved process does not spend; of one that sleeps is told where it is, since
it looks the same as a pause.
"""

import faulthandler
import signal
from typing import TextIO

COMPUTING, WAITING = 300, 1800  # seconds


def start(file: TextIO) -> None:
  """Watches from now on; called again, from then on.

  Args:
    file: for what is told.
  """
  faulthandler.dump_traceback_later(WAITING, repeat=True, file=file)
  if hasattr(signal, 'setitimer'):
    faulthandler.register(signal.SIGVTALRM, file, chain=True)  # and ends it
    signal.setitimer(signal.ITIMER_VIRTUAL, COMPUTING)


def stop() -> None:
  faulthandler.cancel_dump_traceback_later()
  if hasattr(signal, 'setitimer'):
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
