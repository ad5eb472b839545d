"""The queue of jobs."""

import gc
import threading
import time
import weakref

import pytest

from siamkpn_jax.page.turns import Job, Turns


@pytest.fixture
def turns():
  made = Turns()
  yield made
  assert made.close()


def test_jobs_that_never_begin_are_not_kept(turns):
  """One that is stopped while another runs, again and again."""
  gate, begun = threading.Event(), threading.Event()

  def wait(job):
    begun.set()
    gate.wait(20)

  first = Job('track', wait)
  turns.submit(first)
  assert begun.wait(20)
  left = []
  for _ in range(9):
    job = Job('track', lambda job: pytest.fail('it was stopped'))
    turns.submit(job)
    turns.stop(job)
    left.append(weakref.ref(job))
  del job
  gc.collect()
  assert [one() for one in left] == [None] * 9
  gate.set()


def test_a_job_that_has_ended_is_not_kept(turns):
  """Nor its video, by the thread that waits for the next."""
  job = Job('track', lambda job: None)
  turns.submit(job)
  until = time.monotonic() + 20
  while job.state != 'ended' and time.monotonic() < until:
    time.sleep(0.01)
  left = weakref.ref(job)
  del job
  time.sleep(0.05)
  gc.collect()
  assert left() is None
