"""Killed at any moment, a run goes on with the same command."""

import json
import random
import time

import pytest

from siamkpn_jax.training.metrics import LOG_NAME
from tests.training.processes import (
    STEPS,
    finish,
    last_state,
    log,
    start,
    wait_for,
)
from tests.training.survival.runs import (
    EVERY,
    assert_equal,
    assert_quiet,
    command,
    half_written,
    log_steps,
    steps,
    whole_run,
)

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]


def logged(workdir):
  """The steps of whole lines; all but the last line must be whole."""
  *lines, last = (workdir / LOG_NAME).read_text().split('\n')
  assert '\n' not in last
  return [json.loads(line)['step'] for line in lines]


def kill(process, workdir, rng, first, *, in_save):
  """SIGKILL at a random moment after step `first`, or in the next save."""
  wait_for(lambda: max(log_steps(workdir), default=0) >= first)
  if in_save:
    is_new = lambda folder: not (folder / 'left').exists()
    while not any(map(is_new, half_written(workdir))):
      assert process.poll() is None, 'ended before a save was seen'
      time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.05))
  else:
    end = time.monotonic() + rng.uniform(0, 0.6)
    while (time.monotonic() < end and
           max(log_steps(workdir)) < first + 2 * EVERY):
      time.sleep(0.002)
  process.kill()
  return process.communicate()[0]


@pytest.mark.parametrize('kills', [3, 20])
def test_killed_again_and_again(kills, tmp_path, env, request):
  """It loses one save at most, and ends as the run that was never killed."""
  steps_in_all = STEPS if kills == 3 else 6 * kills
  longer = f'--config.train.pairs_per_epoch={2 * steps_in_all}'
  expected = (request.getfixturevalue('uninterrupted') if kills == 3 else
              whole_run(tmp_path / 'expected', env, longer))
  workdir = tmp_path / 'killed'
  rng = random.Random(kills)
  saved = last = in_save = 0  # `last` is the last step logged before the kill
  for number in range(kills + 1):
    process = start(*command(workdir, longer), env=env)
    try:
      output = (finish(process)[1] if number == kills else kill(
          process, workdir, rng, saved + 1 if number else 1,
          in_save=number % 2 == 0))
    finally:
      process.kill()
    assert_quiet(output)
    if number:
      check_resumed(output, workdir, saved, last)
    if number == kills:
      assert process.returncode == 0, output
      break
    assert process.returncode == -9, f'ended before the kill: {output}'
    left = half_written(workdir)
    assert len(left) <= 1, 'what earlier kills left is still there'
    for folder in left:
      (folder / 'left').touch()
    in_save += len(left)
    found = logged(workdir)
    last = found[-1]
    assert found == list(range(1, last + 1))
    saved = max(steps(workdir), default=0)
    due_before = (last - 1) // EVERY * EVERY
    assert saved >= due_before - EVERY, (saved, last)
  assert 3 * in_save >= kills, in_save
  assert not half_written(workdir)
  assert not list(workdir.glob('.*')), 'temporary files are left behind'
  assert log(workdir) == log(expected)
  assert_equal(last_state(workdir, steps_in_all),
               last_state(expected, steps_in_all))


def check_resumed(output, workdir, saved, last):
  """At the newest whole checkpoint."""
  assert last >= saved
  assert (f'resuming {workdir} at step {saved}\n' in output) == (saved > 0), (
      output)
