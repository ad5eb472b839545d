"""SiamKPN for a CPU: EfficientNet-Lite0 and separable heads of three stages.

  python -m siamkpn_jax.train --config configs/kpn3s_nano.py

Set --config.data.root to a folder that holds the sets below, and
--config.model.backbone_weights to a converted EfficientNet-Lite0
(docs/conversion.md).

Arguments, separated by commas:
  cpu         a training for two CPU cores: hours, not a night.
  commercial  without the sets whose terms, as far as they are known, exclude
              commercial use (MODEL_CARD.md).
  no_cutouts  without the scenes of pasted objects.
"""

from siamkpn_jax.config.files import default_config
from siamkpn_jax.core.errors import UserError

# Set -> how often it is drawn. Tracks of video first, then stills, of which
# template and search are two views.
_SETS = {
    'clips_pseudo': 4.0, 'cctv_pseudo': 1.0, 'clips_semiauto': 1.0,
    'mot_persons': 1.5, 'mot15_adl6': 0.5, 'davis16val': 1.5,
    'davis17_schoolgirls': 0.2, 'opn_ytvos': 0.3, 'mocap_gym': 0.1,
    'sky_objects': 0.7, 'starwars_ships': 0.5, 'aerial_cars': 0.4,
    'dreambooth': 0.5, 'toys': 0.2,
    'coco_mini': 2.0, 'ecssd': 1.0, 'imagenet_pseudo': 0.4,
    'person_masks': 0.2, 'amenity': 0.2, 'balloon': 0.2, 'chess': 0.2,
    'fruit': 0.2, 'kangaroo': 0.2, 'playing_cards': 0.2, 'rabbit': 0.2,
    'raccoon': 0.2, 'ships': 0.2,
    'cutouts': 6.0}
# What the set 'cutouts' is made from. Photographs twice: rendered objects are
# many and easy.
_CUTOUTS = ('coco_mini', 'ecssd', 'davis16val', 'imagenet_pseudo',
            'person_masks', 'dreambooth') * 2 + (
                'fluent-emoji-3d', 'fluent-emoji-anim', 'stills')
# CC BY-NC, or for research only; in whole or in part.
_NOT_COMMERCIAL = (
    'clips_semiauto', 'mot_persons', 'mot15_adl6', 'davis16val',
    'davis17_schoolgirls', 'opn_ytvos', 'ecssd', 'imagenet_pseudo', 'stills')
_LEFT_OUT = {'commercial': _NOT_COMMERCIAL, 'no_cutouts': ('cutouts',)}


def get_config(arg: str = ''):
  """The configuration; `arg` as in the module's docstring."""
  words = [word for word in arg.split(',') if word]
  for word in words:
    if word not in ('cpu', *_LEFT_OUT):
      raise UserError(f"unknown argument '{word}'; expected cpu, commercial or "
                      'no_cutouts')
  left_out = [name for word in words for name in _LEFT_OUT.get(word, ())]
  sets = {name: ratio for name, ratio in _SETS.items() if name not in left_out}
  cutouts = _CUTOUTS if 'cutouts' in sets else ()
  config = default_config()
  config.name = '_'.join(['kpn3s_nano', *words])
  config.model.update(
      arch='efficientnet_lite0', width=32, levels=('stage3', 'stage5'),
      channels=80, head_sharing='shared', head_conv='separable')
  config.data.update(
      sets=tuple(sets), ratios=tuple(sets.values()),
      ranges=(100,) * len(sets), cache_mb=200,
      cutouts=tuple(name for name in cutouts if name not in left_out),
      negative_fraction=0.15, gray_fraction=0.1)
  config.augment.update(
      # The paper's 0.18 teaches little but the usual size: when a box has grown
      # too large in tracking, the network must see that.
      search_scale=0.4,
      flip=0.5, brightness=20.0, contrast=0.2, gamma=0.2, white_balance=0.1,
      noise=4.0, padding=0.3, warp=0.3, motion_blur=0.15, occlusion=0.15,
      low_resolution=0.2, jpeg=0.3, search_blur=0.0)
  # A short run learns boxes late with the paper's weights.
  config.loss.update(offsets_weight=10.0, size_weight=0.1)
  # 560,000 pairs, ten minutes of a large GPU (set config.data.loader to
  # 'processes' there) or ten hours of two CPU cores.
  config.train.update(
      batch_size=128, epochs=44, pairs_per_epoch=12_800, schedule='cosine',
      peak_lr=2e-3, freeze_epochs=0, ema_decay=0.999,
      backbone_layers=('stage4', 'stage5'), log_every=50, save_every=500)
  if 'cpu' in words:  # 120,000 pairs, two and a quarter hours of two cores
    config.train.update(
        batch_size=16, epochs=60, pairs_per_epoch=2_000, ema_decay=0.998)
  # Chosen on real sequences (MODEL_CARD.md).
  # The small search crop costs two thirds of the usual one.
  config.tracking.update(penalty_k=0.4, window_influence=0.4, size_lr=0.36,
                         search_size=207, box_correction=0.7)
  return config
