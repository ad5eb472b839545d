"""SiamKPN for a CPU: EfficientNet-Lite0 and separable heads of three stages.

python -m siamkpn_jax.train --config configs/kpn3s_nano.py
"""

from siamkpn_jax.config import default_config


def get_config():
  """The configuration."""
  config = default_config()
  config.name = 'kpn3s_nano'
  config.model.update(
      arch='efficientnet_lite0', width=32, levels=('stage3', 'stage5'),
      channels=96, head_sharing='shared', head_conv='separable')
  config.train.update(
      batch_size=32, epochs=10, pairs_per_epoch=32_000, schedule='cosine',
      peak_lr=1e-3, freeze_epochs=3, backbone_lr_scale=0.1,
      backbone_layers=('stage3', 'stage4', 'stage5'), ema_decay=0.999,
      log_every=50, save_every=500)
  return config
