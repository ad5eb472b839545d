"""The paper's model itself trains: ResNet-50, three stages, per-task heads."""

import pytest

from siamkpn_jax.config import kpn_config
from siamkpn_jax.data.sources.synthetic import SyntheticSource, split_seed
from siamkpn_jax.training import trainer
from siamkpn_jax.training.metrics import LOG_NAME, read_log


@pytest.mark.slow
def test_kpn3s_trains_on_a_cpu(tmp_path):
  """Batch 2, on rendered videos: the mean loss of the second half is lower."""
  config = kpn_config(3, 'synthetic')
  config.train.update(batch_size=2, epochs=1, pairs_per_epoch=40,
                      freeze_epochs=1, log_every=1, save_every=1000,
                      schedule='cosine', peak_lr=1e-3)
  trainer.train(config, tmp_path, [SyntheticSource(split_seed('train', 0))])
  losses = [row['loss'] for row in read_log(tmp_path / LOG_NAME)]
  half = len(losses) // 2
  assert sum(losses[half:]) < 0.8 * sum(losses[:half]), losses
