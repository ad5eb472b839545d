"""What one sees of a run: lines, shares of time, a bounded queue of steps."""

import contextlib
import io

import jax
import jax.numpy as jnp
import pytest
from tqdm import tqdm

from siamkpn_jax.training import progress, trainer
from siamkpn_jax.training.bad_steps import BadSteps
from siamkpn_jax.training.metrics import LOG_NAME, MetricWriter, read_log
from siamkpn_jax.training.profiling import Profile
from siamkpn_jax.training.progress import Progress
from tests.training.tiny import BlobSource, tiny_config


class Clock:
  """Time that passes when it is told to."""

  def __init__(self):
    self.now = 100.0

  def monotonic(self):
    return self.now


@pytest.fixture
def clock(monkeypatch):
  """In place of `progress.time`."""
  clock = Clock()
  monkeypatch.setattr(progress, 'time', clock)
  return clock


def metrics(loss=2.0):
  """Of one step."""
  return {'loss': jnp.float32(loss), 'stage1/heatmap': jnp.float32(1.25),
          'stage2/heatmap': jnp.float32(0.5), 'stage1/size': jnp.float32(30),
          'stage2/size': jnp.float32(20), 'learning_rate': jnp.float32(0.001),
          'grad_norm': jnp.float32(3.5), 'skipped': jnp.int32(0)}


@contextlib.contextmanager
def progress_of(tmp_path, utilization=lambda step, seconds: {}):
  """Of a run of 100 steps of 8 pairs; the backbone is frozen for 4."""
  config = tiny_config(
      train={'batch_size': 8, 'log_every': 4, 'epochs': 25,
             'pairs_per_epoch': 32, 'freeze_epochs': 1})
  skips = BadSteps(0, 0, batch_size=8, max_loss=1e4, max_skipped=0)
  with (tqdm(total=100, file=io.StringIO()) as bar,
        MetricWriter(tmp_path, 0) as writer):
    yield Progress(config.train, writer, bar, skips, utilization, 0)


def test_shares_of_time(tmp_path, clock, capsys):
  """Pairs per second and data wait leave out what is not training."""
  with progress_of(
      tmp_path, lambda step, seconds: {'mfu': 0.1 * seconds}) as told:
    for step in range(1, 9):
      with told.waiting():
        clock.now += 0.5
      clock.now += 60 if step in (1, 5) else 1.5  # two steps compile
      if step == 6:
        with told.pause('validating'):
          clock.now += 1000
      told.after(step, metrics(), last=False)
  first, frozen, compiled, free = read_log(tmp_path / LOG_NAME)
  assert [row['step'] for row in (first, frozen, compiled, free)] == [
      1, 4, 5, 8]
  for row in (first, compiled):
    assert row['pairs_per_second'] == pytest.approx(8 / 60.5)
  for row in (frozen, free):
    assert row['pairs_per_second'] == pytest.approx(4)
    assert row['data_wait'] == pytest.approx(0.25)
    assert row['mfu'] == pytest.approx(0.2)
  assert (frozen['backbone_learning_rate'], free['backbone_learning_rate']) == (
      0, pytest.approx(1e-4))
  lines = [line for line in capsys.readouterr().err.splitlines()
           if line.startswith('step')]
  assert lines[3] == (
      'step 8 | loss 2 | heatmap 1.25 0.5 | size 30 20 | lr 0.001 (backbone '
      '0.0001) | gradient 3.5 | 4.0 pairs/s | waited for data 25% | mfu 20% | '
      '0:03:04 left')
  assert 'left' not in lines[0] and '0:03:12 left' in lines[1]
  assert '0:03:10 left' in lines[2]  # as fast as before


def test_validation_is_said_and_logged(tmp_path, capsys):
  """Without scores nothing is."""
  with progress_of(tmp_path) as told:
    told.validated(4, {})
    told.validated(8, {'val_success_auc': 0.25})
  assert read_log(tmp_path / LOG_NAME) == [{'step': 8, 'val_success_auc': 0.25}]
  assert capsys.readouterr().err.split() == [
      'step', '8', '|', 'val_success_auc', '0.250']


def test_steps_are_not_far_ahead(tmp_path, monkeypatch):
  """Before the batch of a step, all but the last two steps are waited for."""
  waited = []
  monkeypatch.setattr(progress.jax, 'block_until_ready', waited.append)
  with progress_of(tmp_path) as told:
    losses = [metrics(k) for k in range(6)]
    for step, row in enumerate(losses, 1):
      with told.waiting():
        assert len(waited) == max(0, step - 2)
      told.after(step, row, last=False)
  assert [float(loss) for loss in waited] == [0, 1, 2, 3]


@pytest.mark.slow
def test_trace_of_a_few_steps(tmp_path):
  """The steps after the first ten, for Perfetto and for TensorBoard."""
  config = tiny_config(train={'pairs_per_epoch': 32, 'log_every': 100})
  trainer.train(config, tmp_path, [BlobSource()], profile=2)
  (folder,) = (tmp_path / 'profile' / 'plugins' / 'profile').iterdir()
  assert (folder / 'perfetto_trace.json.gz').stat().st_size > 1000
  (path,) = folder.glob('*.xplane.pb')
  trace = jax.profiler.ProfileData.from_file(str(path))
  steps = [dict(event.stats)['step_num'] for plane in trace.planes
           for line in plane.lines for event in line.events
           if event.name == 'train']
  assert steps == [11, 12]


def test_run_too_short_for_a_trace(tmp_path, capsys):
  """It is said."""
  with Profile(tmp_path, 0, 3, None) as trace:
    for step in range(1, 11):
      with trace.step(step):
        pass
  assert 'note: no profile, since it begins after 10' in capsys.readouterr().err
  assert not list(tmp_path.iterdir())
