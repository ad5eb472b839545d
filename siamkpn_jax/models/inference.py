"""The variables of a network as tracking uses them: less to compute.

Equal up to rounding. Training, checkpoints and conversion have them as they
are; the modules take both.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from siamkpn_jax.models.head import TASKS, output_tasks
from siamkpn_jax.models.layers import EPSILON, WINOGRAD
from siamkpn_jax.models.resnet import ARCHITECTURES, STRIDED
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.models.winograd import transform_kernel

Tree = dict[str, Any]

# Channels from which Winograd's form is faster -> results along a tile's side.
_WIDE = {512: 4, 256: 2}


def inference_variables(model: SiamKPN, variables: Mapping[str, Any], *,
                        winograd: bool = False) -> Tree:
  """Folds what follows a convolution into it.

  Batch normalization, with its running statistics, becomes a bias: a
  `BatchNorm` without a scale adds its bias alone. The weights of the levels go
  into the last convolutions: a `Head` without them sums the levels.

  Args:
    model: the network.
    variables: its variables, {'params', 'batch_stats'}; they do not change.
    winograd: transform the wide 3x3 kernels of a network in float32, to four
      times their size; a CPU is faster with these.

  Returns:
    {'params'} as numpy arrays, for `template` and `search` with train=False.
  """
  params = _without_normalization(
      variables['params'], variables['batch_stats'])
  if model.level_fusion == 'softmax':
    params['head'] = _without_level_weights(params['head'], model.levels)
  if winograd and model.dtype == 'float32':
    params = _transformed(params)
  return {'params': params}


def _transformed(params: Mapping[str, Any]) -> Tree:
  """Of one module and all in it, with Winograd's kernels where they suit."""
  out: Tree = {}
  for name, value in params.items():
    if isinstance(value, Mapping):
      out[name] = value if name in STRIDED else _transformed(value)
    elif name == 'kernel' and (step := winograd_step(value.shape)):
      out[WINOGRAD] = transform_kernel(value, step)
    else:
      out[name] = value
  return out


def winograd_step(shape: tuple[int, ...]) -> int | None:
  """The tile of a kernel for Winograd's method; None if it does not suit."""
  if shape[:2] != (3, 3):
    return None
  return next((step for channels, step in _WIDE.items()
               if min(shape[2:]) >= channels), None)


def for_cpu(model: SiamKPN) -> SiamKPN:
  """The network as a CPU computes it: in float32.

  XLA has no products of bfloat16 there: it converts, and takes twice the time
  of Winograd's method, which is of float32 alone.
  """
  return model.clone(dtype='float32')


def crops_at_once(model: SiamKPN) -> int:
  """How many crops a CPU searches at a time, whatever the batch; 0 for all.

  The wide early maps of a compact backbone leave the caches when there are
  more; a ResNet gains from every crop that shares its kernels.
  """
  return 0 if model.arch in ARCHITECTURES else 2


def _without_normalization(params: Mapping[str, Any],
                           stats: Mapping[str, Any]) -> Tree:
  """Of one module and all in it."""
  out = {name: (_without_normalization(value, stats.get(name, {}))
                if isinstance(value, Mapping) else np.asarray(value))
         for name, value in params.items()}
  if 'bn' in params:
    norm, running = params['bn'], stats['bn']
    scale = np.asarray(norm['scale'], np.float64) / np.sqrt(
        np.asarray(running['var'], np.float64) + EPSILON)
    kernel = out['conv']['kernel']  # h x w x i x o, or h x w x 1 x c
    out['conv'] = {'kernel': kernel * scale.astype(kernel.dtype)}
    bias = np.asarray(norm['bias'], np.float64) - scale * np.asarray(
        running['mean'], np.float64)
    out['bn'] = {'bias': bias.astype(kernel.dtype)}
  return out


def _without_level_weights(head: Mapping[str, Any],
                           levels: tuple[str, ...]) -> Tree:
  logits = {task: np.asarray(head[f'{task}_weight'], np.float64)
            for task in TASKS}
  weights = {task: np.exp(w - w.max()) / np.exp(w - w.max()).sum()
             for task, w in logits.items()}
  out: Tree = {}
  for name, module in head.items():
    if name.endswith('_weight'):
      continue
    level, task, _ = name.split('_')
    factors = np.array([weights[t][levels.index(level)]
                        for t in output_tasks(task)], np.float32)
    last = module['predict_out']
    out[name] = {**module, 'predict_out': {
        leaf: value * factors for leaf, value in last.items()}}
  return out
