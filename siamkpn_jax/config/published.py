"""Configurations of the paper's models and their variants."""

from typing import Any

from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError

# Published tracking settings (SPEC 8): stages -> benchmark -> penalty_k,
# window_influence, size_lr.
_TRACKING = {
    1: {'vot': (0.17, 0.61, 0.27), 'otb': (0.19, 0.53, 0.37)},
    2: {'vot': (0.03, 0.42, 0.38), 'otb': (0.06, 0.51, 0.37)},
    3: {'vot': (0.10, 0.54, 0.59), 'otb': (0.10, 0.52, 0.42)},
}
STAGES = tuple(_TRACKING)  # that have published tracking settings
# One set alone, and how many frames may lie between template and search.
_ONE_SET = {'got10k': 100, 'synthetic': 30}


def kpn_config(num_stages: int, arg: str) -> Config:
  """The configuration of a model of the paper.

  Args:
    num_stages: one of `STAGES`.
    arg: comma-separated variants: 'otb', 'got10k', 'paper', 'released',
      'synthetic'; see configs/kpn3s.py.

  Raises:
    UserError: an unknown variant, or two that exclude each other.
  """
  words = [word for word in arg.split(',') if word]
  data: dict[str, Any] = {}
  train: dict[str, Any] = {}
  for word in words:
    if word == 'otb':
      data['gray_fraction'] = 0.2
    elif word in _ONE_SET:
      data |= {'sets': (word,), 'ratios': (1.0,), 'ranges': (_ONE_SET[word],)}
    elif word in ('paper', 'released'):
      train['schedule'] = word
    else:
      raise UserError(
          f"unknown argument '{word}'; expected otb, got10k, paper, released "
          'or synthetic')
  for kind in (tuple(_ONE_SET), ('paper', 'released')):
    both = [word for word in words if word in kind]
    if len(both) > 1:
      raise UserError(f"arguments '{both[0]}' and '{both[1]}'; expected one of "
                      'them')
  tracking = _TRACKING[num_stages]['otb' if 'otb' in words else 'vot']
  return Config().updated(
      name='_'.join([f'kpn{num_stages}s', *words]),
      model={'num_stages': num_stages}, data=data, train=train,
      tracking=dict(zip(('penalty_k', 'window_influence', 'size_lr'), tracking,
                        strict=True)))
