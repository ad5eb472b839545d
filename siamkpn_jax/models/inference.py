"""The variables of a network as tracking uses them: less to compute.

Equal up to rounding. Training, checkpoints and conversion have them as they
are; the modules take both.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from siamkpn_jax.models import blocks
from siamkpn_jax.models.efficientnet import STAGES
from siamkpn_jax.models.head import TASKS, output_tasks
from siamkpn_jax.models.layers import EPSILON, WINOGRAD
from siamkpn_jax.models.resnet import ARCHITECTURES, STRIDED
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.models.winograd import transform_kernel

Tree = dict[str, Any]

# Channels from which Winograd's form is faster -> results along a tile's side.
_WIDE = {512: 4, 256: 2}


def inference_variables(model: SiamKPN, variables: Mapping[str, Any], *,
                        cpu: bool = False) -> Tree:
  """Folds what follows a convolution into it.

  Batch normalization, with its running statistics, becomes a bias: a
  `BatchNorm` without a scale adds its bias alone. The biases of projections,
  which nothing but sums and 1x1 convolutions follows, go into those. The
  weights of the levels go into the last convolutions: a `Head` without them
  sums the levels.

  Args:
    model: the network.
    variables: its variables, {'params', 'batch_stats'}; they do not change.
    cpu: kernels of a network in float32 in the forms with which a CPU is
      faster: wide 3x3 ones transformed, to four times their size, and wide
      depth-wise ones in blocks.

  Returns:
    {'params'} as numpy arrays, for `template` and `search` with train=False.
  """
  params = _without_normalization(
      variables['params'], variables['batch_stats'])
  if model.level_fusion == 'softmax':
    params['head'] = _without_level_weights(params['head'], model.levels)
  compact = model.arch not in ARCHITECTURES
  if compact:
    params |= _without_projection_biases(params['backbone'], params['neck'])
  if cpu and model.dtype == 'float32':
    params = _transformed(params)
    if compact:
      params['backbone'] = _in_blocks(params['backbone'])
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


def _without_projection_biases(backbone: Tree, neck: Tree) -> Tree:
  """Of an EfficientNet and the neck; both anew."""
  backbone, neck = dict(backbone), dict(neck)
  missing: Any = 0.0  # what the map lacks: the biases along its shortcuts
  for stage, (count, *_) in STAGES.items():
    for name in (f'{stage}_{n}' for n in range(count)):
      if name not in backbone:
        break
      block = dict(backbone[name])
      if 'expand' in block:
        block['expand'] = _with_bias(block['expand'], missing)
      bias = block['project']['bn']['bias'].astype(np.float64)
      block['project'] = {'conv': block['project']['conv']}
      missing = bias + (0.0 if name.endswith('_0') else missing)
      backbone[name] = block
    if stage in neck:
      neck[stage] = _with_bias(neck[stage], missing)
  return {'backbone': backbone, 'neck': neck}


def _with_bias(module: Tree, missing: Any) -> Tree:
  """Of a 1x1 convolution whose input lacks some of every cell [i]."""
  kernel, bias = module['conv']['kernel'], module['bn']['bias']
  more = np.broadcast_to(missing, kernel.shape[2]) @ kernel[0, 0]
  return module | {'bn': {'bias': (bias + more).astype(bias.dtype)}}


def _in_blocks(backbone: Tree) -> Tree:
  """Of an EfficientNet without biases of projections, where it is faster."""
  strided = {f'{stage}_0' for stage, (_, _, stride, *_) in STAGES.items()
             if stride > 1}
  out = dict(backbone)
  for name, module in backbone.items():
    depth = module.get('depthwise')
    if depth and name not in strided and (
        blocks.count(depth['conv']['kernel'].shape) > 1):
      out[name] = {blocks.NAME: blocks.divide(
          depth['conv']['kernel'], depth['bn']['bias'],
          module['project']['conv']['kernel']), 'expand': module['expand']}
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
