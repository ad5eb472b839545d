"""The paper's model itself trains: ResNet-50, three stages, per-task heads."""

import pytest

from siamkpn_jax.training.metrics import LOG_NAME, read_log
from tests.training.processes import environment, finish, start


@pytest.mark.slow
def test_kpn3s_trains_on_a_cpu(compilation_cache, tmp_path):
  """Batch 2, on rendered videos: the mean loss of the second half is lower.

  In a process of its own, since this one has more devices than pairs.
  """
  code, output = finish(start(
      '--config=kpn3s:synthetic', f'--workdir={tmp_path}',
      '--config.train.batch_size=2', '--config.train.epochs=1',
      '--config.train.pairs_per_epoch=56', '--config.train.schedule=cosine',
      '--config.train.peak_lr=1e-3', '--config.train.log_every=1',
      '--config.data.negative_fraction=0.0', '--config.validation.sequences=0',
      env=environment(compilation_cache, JAX_NUM_CPU_DEVICES='1')), 900)
  assert code == 0, output
  losses = [row['loss'] for row in read_log(tmp_path / LOG_NAME)]
  half = len(losses) // 2
  assert sum(losses[half:]) < 0.9 * sum(losses[:half]), losses
