"""The loop alone, with parts that are stand-ins."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.distributed import preemption
from siamkpn_jax.training import loop
from siamkpn_jax.training.state import TrainState


class Log(list):
  """What the loop has asked of its parts, in order."""

  def batches(self, start):
    try:
      for number in range(start, 100):
        yield {'x': np.float32(number)}
    finally:
      self.append('closed')

  def save(self, step, items):
    self.append(f'save {step}: {float(items["model"]["params"])}')

  def wait(self):
    self.append('wait')

  def validate(self, variables, stop):
    self.append('validate' if not stop() else 'no time')
    return {}


def make_run(log, step=None, **changes):
  """Five steps, saved every two; the backbone is frozen in the first."""
  compiled = step or jax.jit(lambda state, batch: (state.replace(
      step=state.step + 1, params=state.params + batch['x']),
      {'loss': batch['x']}))
  nothing = lambda *unused, **unused_too: contextlib.nullcontext()
  state = TrainState(jnp.int32(0), jnp.int32(0), jnp.float32(0), {}, {})
  def choose(unfrozen):
    log.append('unfrozen' if unfrozen else 'frozen')
    return compiled
  parts = {
      'workdir': Path('run'), 'state': state, 'step': choose, 'loader': log,
      'put': jax.device_put, 'checkpoints': log, 'validate': log.validate,
      'saved': lambda: log.append('saved'), 'progress': SimpleNamespace(
          waiting=nothing, pause=nothing, after=nothing, validated=nothing),
      'profile': SimpleNamespace(step=nothing), 'total': 5, 'unfreeze': 1,
      'save_every': 2}
  return loop.Run(**parts | changes)


def test_order():
  """Steps, saves, scores; the loader is closed at the end."""
  log = Log()
  state = loop.train(make_run(log))
  assert (int(state.step), float(state.params)) == (5, 0 + 1 + 2 + 3 + 4)
  assert log == [
      'frozen', 'unfrozen', 'save 2: 1.0', 'validate', 'saved',
      'unfrozen', 'unfrozen', 'save 4: 6.0', 'validate', 'saved',
      'unfrozen', 'save 5: 10.0', 'validate', 'saved', 'wait', 'closed']


def test_goes_on_from_a_state():
  """With the batch and the step that follow."""
  log = Log()
  given = TrainState(jnp.int32(3), jnp.int32(0), jnp.float32(3), {}, {})
  state = loop.train(make_run(log, state=given))
  assert (int(state.step), float(state.params)) == (5, 10)
  assert log[:2] == ['unfrozen', 'save 4: 6.0']


@pytest.mark.parametrize('step', [3, 5])
def test_scores_first_what_was_cut_off_before_its_score(step):
  """The last step's state as well, after which nothing is trained."""
  log = Log()
  given = TrainState(jnp.int32(step), jnp.int32(0), jnp.float32(3), {}, {})
  loop.train(make_run(log, state=given, unscored=True))
  assert log[:2] == ['validate', 'saved']
  assert log.count('validate') == (1 if step == 5 else 3)


def test_stops_when_it_is_asked_to(monkeypatch):
  """Saved after the step that is under way, and not scored."""
  stop = SimpleNamespace(signaled=False, interrupted=True,
                         after=lambda step: step == 3)
  monkeypatch.setattr(preemption, 'guard',
                      lambda: contextlib.nullcontext(stop))
  log = Log()
  with pytest.raises(preemption.Preempted, match='run: stopped .* step 3 of 5'):
    loop.train(make_run(log))
  assert log[-5:] == ['unfrozen', 'save 3: 3.0', 'saved', 'wait', 'closed']


def test_nothing_travels_unasked():
  """Not before the third step: the first two compile."""
  log = Log()
  with pytest.raises(Exception, match='Disallowed .*transfer'):
    loop.train(make_run(log, put=lambda batch: batch))
  assert log[:3] == ['frozen', 'unfrozen', 'save 2: 1.0']
  assert 'save 4: 6.0' not in log and log[-1] == 'closed'
