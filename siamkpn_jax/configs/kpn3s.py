"""SiamKPN with three stages, as in the paper.

  python -m siamkpn_jax.train --config configs/kpn3s.py

Arguments, separated by commas:
  otb        tracking settings of OTB-100; a fifth of the pairs is gray.
  got10k     trains on GOT-10k's training split only, as its protocol asks.
  paper      learning rates of the paper's text.
  released   learning rates of the released configuration (default).
  synthetic  trains on rendered videos, without any download.
Data: YouTube-BB, LaSOT, GOT-10k, COCO (docs/training.md).
Published: OTB-100 AUC .712, precision .927; VOT2018 EAO .440; LaSOT AUC .498;
GOT-10k AO .529.
"""

from siamkpn_jax.config.files import config_dict
from siamkpn_jax.config.published import kpn_config


def get_config(arg: str = ''):
  """The configuration; `arg` as in the module's docstring."""
  return config_dict(kpn_config(3, arg))
