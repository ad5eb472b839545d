"""A compact model on rendered videos: minutes on two CPU cores (`make demo`).

  python -m siamkpn_jax.train --config configs/demo.py

Data: rendered on the fly. The argument is the seed of the training: demo.py:1.
"""

from siamkpn_jax.config.files import default_config


def get_config(arg: str = ''):
  """The configuration; `arg` is the seed, default 0."""
  config = default_config()
  config.seed = int(arg or 0)
  config.name = f'demo_seed{config.seed}'
  config.model.update(
      arch='resnet10', width=16, levels=('layer3',), channels=24)
  config.data.update(
      sets=('synthetic',), ratios=(1.0,), ranges=(30,), negative_fraction=0.1)
  config.augment.update(search_shift=48.0, search_blur=0.0)  # the videos blur
  # A short run learns boxes late with the paper's weights.
  config.loss.update(offsets_weight=5.0, size_weight=0.25)
  config.train.update(
      batch_size=8, epochs=1, pairs_per_epoch=7_600, schedule='cosine',
      peak_lr=2e-3, freeze_epochs=0, backbone_lr_scale=1.0,
      backbone_layers=('conv1', 'layer1', 'layer2', 'layer3', 'layer4'),
      log_every=25, save_every=250)
  # Chosen on the validation videos. More candidates than the paper's, so that
  # a distractor's peak cannot fill them all and the window has a choice.
  config.tracking.update(penalty_k=0.1, window_influence=0.4, size_lr=0.2,
                         topk_max=64, topk_min=64)
  return config
