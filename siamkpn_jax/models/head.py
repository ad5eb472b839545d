"""The keypoint-prediction cascade: any number of stages of one kind (SPEC 4).

The template side and the search side of every stage are separate methods, so a
tracker computes the template's correlation kernels once, at its first frame.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.models import initializers
from siamkpn_jax.models.correlation import correlate
from siamkpn_jax.models.layers import ConvBN, SeparableConvBN, call

TASKS = {'heatmap': 1, 'offsets': 2, 'size': 2}  # channels
KERNEL_SIZE = 5  # cells
_CENTRAL = slice(4, 11)  # the 7x7 of the 15x15 template features

# Where the outputs start; the paper leaves it open. Few positives are expected
# (CenterNet's -log((1 - 0.1) / 0.1)), and the size of a square target in its
# search crop, give or take some pixels: sizes are tens of pixels, but Adam
# moves a weight by no more than the learning rate, so from zero it needs
# thousands of steps.
_BIASES = {'heatmap': (-2.19,), 'offsets': (0.0, 0.0), 'size': (63.5, 63.5)}
_SPREADS = {'heatmap': 0.1, 'offsets': 0.1, 'size': 5.0}

_A_WEIGHT = 'heatmap_weight'

Correlate = Callable[[jax.Array, jax.Array], jax.Array]  # as `correlate`

# level -> task -> one [b, 5, 5, c] kernel per stage
Kernels = dict[str, dict[str, tuple[jax.Array, ...]]]


@flax.struct.dataclass
class Template:
  """All the search needs to know of the target.

  Attributes:
    kernels: {level: {task: per stage [b, 5, 5, c]}} correlation kernels; with
      shared heads the only task is 'shared'.
  """

  kernels: Kernels


@flax.struct.dataclass
class Predictions:
  """Predictions of one stage.

  Attributes:
    heatmap: [b, 31, 31, 1] logits of the target's center.
    offsets: [b, 31, 31, 2] x, y from the cell to the center, in the unit of
      the offset target (SPEC 5).
    size: [b, 31, 31, 2] width, height in search-crop pixels.
  """

  heatmap: jax.Array
  offsets: jax.Array
  size: jax.Array


class Stage(nn.Module):
  """One stage of the cascade for one level and task.

  Attributes:
    channels: of all features.
    task: 'heatmap', 'offsets', 'size' or 'shared' (all five channels).
    first: the first stage has no convolution of its own on the template.
    conv: 'full' or 'separable' 3x3 convolutions.
    dtype: of the computation; predictions are at least float32.
    correlate: computes what `correlation.correlate` does.
  """

  channels: int
  task: str
  first: bool
  conv: str
  dtype: Any = None
  correlate: Correlate = correlate

  def setup(self):
    conv = (functools.partial(ConvBN, kernel_init=initializers.near_identity)
            if self.conv == 'full' else SeparableConvBN)
    if not self.first:
      self.template_conv = conv(self.channels, padding=1, dtype=self.dtype)
    self.kernel_conv = conv(self.channels, dtype=self.dtype)
    self.search_conv = conv(self.channels, padding=1, dtype=self.dtype)
    self.predict_conv = ConvBN(self.channels, 1, dtype=self.dtype)
    self.predict_out = nn.Conv(
        len(output_tasks(self.task)), (1, 1),
        # Sizes are hundreds of pixels: too much for an accelerator's default.
        precision=jax.lax.Precision.HIGHEST,
        kernel_init=initializers.normal_per_output(
            output_kernel_std(self.task, self.channels)),
        bias_init=self._bias)

  def _bias(self, unused_key, shape, dtype=jnp.float32):
    tasks = TASKS if self.task == 'shared' else (self.task,)
    values = [value for task in tasks for value in _BIASES[task]]
    return jnp.asarray(values, dtype).reshape(shape)

  def template(self, t: jax.Array, *,
               train: bool) -> tuple[jax.Array, jax.Array]:
    """Template features of the stage before -> of this stage, and its kernel.

    [b, 15, 15, c] -> [b, 15, 15, c], [b, 5, 5, c].
    """
    if not self.first:
      t = nn.relu(self.template_conv(t, train=train))
    central = t[:, _CENTRAL, _CENTRAL]
    return t, nn.relu(self.kernel_conv(central, train=train))

  def search(self, r: jax.Array, kernel: jax.Array, *,
             train: bool) -> tuple[jax.Array, jax.Array]:
    """Response of the stage before -> of this stage, and its prediction.

    [b, 31, 31, c], [b, 5, 5, c] -> [b, 31, 31, c], [b, 31, 31, outputs].
    """
    x = nn.relu(self.search_conv(r, train=train))
    pad = KERNEL_SIZE // 2
    x = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    response = self.correlate(x, kernel)
    out = nn.relu(self.predict_conv(response, train=train))
    wide = jnp.promote_types(out.dtype, jnp.float32)
    return response, self.predict_out(out.astype(wide))


class Head(nn.Module):
  """The cascade over all levels and tasks, and the fusion of the levels.

  Attributes:
    levels: names of the levels.
    channels: of all features.
    num_stages: length of the cascade.
    sharing: 'per_task' (an independent stack for each task, as released) or
      'shared' (one stack of five channels, as the paper's figure).
    conv: see `Stage`.
    fusion: 'softmax' (learned weights per task) or 'mean'. Without weights in
      its variables they were folded into the last convolutions (inference.py).
    remat: keep only the results of stages for the gradient, see `layers.call`.
    dtype: of the computation.
    correlate: see `Stage`.
  """

  levels: tuple[str, ...]
  channels: int
  num_stages: int
  sharing: str
  conv: str
  fusion: str
  remat: bool
  dtype: Any = None
  correlate: Correlate = correlate

  def setup(self):
    tasks = list(TASKS) if self.sharing == 'per_task' else ['shared']
    self.stages = {
        level: {task: [self._stage(level, task, s)
                       for s in range(self.num_stages)] for task in tasks}
        for level in self.levels}
    self.weighted = self.fusion == 'softmax' and (
        self.is_initializing() or self.has_variable('params', _A_WEIGHT))
    if self.weighted:
      self.level_weights = {
          task: self.param(f'{task}_weight', nn.initializers.ones,
                           (len(self.levels),)) for task in TASKS}

  def _stage(self, level: str, task: str, s: int) -> Stage:
    return Stage(self.channels, task, first=s == 0, conv=self.conv,
                 dtype=self.dtype, correlate=self.correlate,
                 name=f'{level}_{task}_stage{s + 1}')

  def template(self, features: dict[str, jax.Array], *,
               train: bool) -> Template:
    """{level: [b, 15, 15, c]} -> the kernels of every stage."""
    kernels: Kernels = {}
    for level, tasks in self.stages.items():
      kernels[level] = {}
      for task, stages in tasks.items():
        t, out = features[level], []
        for stage in stages:
          t, kernel = call(
              Stage.template, stage, t, train=train, remat=self.remat)
          out.append(kernel)
        kernels[level][task] = tuple(out)
    return Template(kernels)

  def search(self, template: Template, features: dict[str, jax.Array], *,
             train: bool) -> tuple[Predictions, ...]:
    """Template and {level: [b, 31, 31, c]} -> the maps of every stage."""
    predictions: list[dict[str, list[jax.Array]]] = [
        {task: [] for task in TASKS} for _ in range(self.num_stages)]
    for level, tasks in self.stages.items():
      for task, stages in tasks.items():
        r = features[level]
        for s, stage in enumerate(stages):
          kernel = template.kernels[level][task][s]
          r, out = call(
              Stage.search, stage, r, kernel, train=train, remat=self.remat)
          for name, part in _split(task, out).items():
            predictions[s][name].append(part)
    return tuple(
        Predictions(**{task: self._fuse(task, maps)
                       for task, maps in stage.items()})
        for stage in predictions)

  def _fuse(self, task: str, maps: list[jax.Array]) -> jax.Array:
    stacked = jnp.stack(maps)  # l x b x h x w x c
    if self.fusion == 'mean':
      return stacked.mean(axis=0)
    if not self.weighted:
      return stacked.sum(axis=0)
    weights = nn.softmax(self.level_weights[task])  # l
    return jnp.tensordot(  # b x h x w x c
        weights, stacked, axes=1, precision=jax.lax.Precision.HIGHEST)


def output_kernel_std(task: str, channels: int) -> np.ndarray:
  """[outputs] standard deviation of the first weights of each output."""
  return np.array([_SPREADS[t] for t in output_tasks(task)]) / channels**0.5


def output_tasks(task: str) -> list[str]:
  """For each channel that a stage predicts, the task that it is of."""
  tasks = TASKS if task == 'shared' else (task,)
  return [t for t in tasks for _ in range(TASKS[t])]


def _split(task: str, out: jax.Array) -> dict[str, jax.Array]:
  """A stage's output by task; five shared channels are taken apart."""
  if task != 'shared':
    return {task: out}
  return {'heatmap': out[..., :1], 'offsets': out[..., 1:3],
          'size': out[..., 3:]}
