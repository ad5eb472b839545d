"""The losses and training steps in PyTorch (SPEC 6 and 7).

The moving average is ours, see docs/training.md.
"""

import torch
from torch.nn import functional as F

from tests.reference import torch_network

ALPHA, BETA, GAMMA = 2, 4, 0.05
OFFSETS_WEIGHT, SIZE_WEIGHT = 1, 0.05


def focal(logits, labels):
  """[b, 31, 31] twice -> scalar, per positive of the batch."""
  log_p, log_q = F.logsigmoid(logits), F.logsigmoid(-logits)
  positive = labels == 1
  loss = -torch.where(
      positive,
      (ALPHA * log_q).exp() * log_p,
      GAMMA * (1 - labels)**BETA * (ALPHA * log_p).exp() * log_q)
  return loss.sum() / positive.sum().clamp(min=1)


def regression(prediction, target, mask, weights):
  """[b, 2, 31, 31] twice, [b, 31, 31] twice -> mean over the mask's cells."""
  # The weights do not enter the divisor.
  weights = (weights * mask)[:, None]
  error = F.smooth_l1_loss(
      weights * prediction, weights * target, reduction='sum')
  return error / (2 * mask.sum().clamp(min=1))


def losses(maps, labels, offsets_weight=OFFSETS_WEIGHT,
           size_weight=SIZE_WEIGHT):
  """The four losses as scalar tensors.

  Args:
    maps: per stage 'heatmap' [b, 1, 31, 31], 'offsets' and 'size'
      [b, 2, 31, 31].
    labels: 'heatmaps' [s, b, 31, 31], 'offsets' and 'size' [b, 2, 31, 31],
      'mask' [b, 31, 31] bool, the cells of the regression circle.
    offsets_weight: of the second loss in the sum.
    size_weight: of the third.
  """
  mask = labels['mask']
  stages = []
  for stage, heatmap in zip(maps, labels['heatmaps'], strict=True):
    stages.append(torch.stack([
        focal(stage['heatmap'][:, 0], heatmap),
        regression(stage['offsets'], labels['offsets'], mask, heatmap),
        regression(stage['size'], labels['size'], mask,
                   torch.ones_like(heatmap))]))
  heatmap, offsets, size = torch.stack(stages).mean(dim=0)
  return {'loss': heatmap + offsets_weight * offsets + size_weight * size,
          'heatmap': heatmap, 'offsets': offsets, 'size': size}


def train_step(model, z, x, labels, backbone_layers):
  """Forward and backward without an update of the parameters.

  Args:
    model: a torch_network.SiamKPN; its running statistics change.
    z: [b, 3, 127, 127].
    x: [b, 3, 255, 255].
    labels: as for losses.
    backbone_layers: names of the layers of the backbone that train.

  Returns:
    The losses as floats, {parameter name: gradient} of what trains, and the
    state after the forward.
  """
  torch_network.freeze(model, backbone_layers)
  model.zero_grad(set_to_none=True)
  values = losses(model(z, x), labels)
  values['loss'].backward()
  gradients = {name: parameter.grad.clone()
               for name, parameter in model.named_parameters()
               if parameter.requires_grad}
  state = {name: value.detach().clone()
           for name, value in model.state_dict().items()}
  return {k: v.item() for k, v in values.items()}, gradients, state


class Trainer:
  """Whole steps: clipping by the global norm, then Adam in two groups.

  Attributes:
    model: the network.
    average: {name: tensor} moving average of its weights and statistics; None
      without one.
  """

  def __init__(self, model, backbone_layers, *, backbone_lr_scale=0.1,
               clip_norm=10, offsets_weight=OFFSETS_WEIGHT,
               size_weight=SIZE_WEIGHT, ema_decay=0):
    """Starts with the backbone frozen.

    Args:
      model: a torch_network.SiamKPN.
      backbone_layers: those that train from `unfreeze` on.
      backbone_lr_scale: their rate over that of the rest.
      clip_norm: of the gradient of all that trains.
      offsets_weight: as for losses.
      size_weight: as for losses.
      ema_decay: share of the old average in the long run; 0 for no average.
    """
    self.model = model
    self._decay, self._steps = ema_decay, 0
    # Weights and running statistics, without the counters. All that follows
    # changes them in place.
    self._state = {name: value for name, value in model.state_dict().items()
                   if value.is_floating_point()}
    self.average = {name: value.clone() for name, value in
                    self._state.items()} if ema_decay else None
    self._layers = backbone_layers
    self._clip_norm = clip_norm
    self._weights = (offsets_weight, size_weight)
    layers = [parameter for module in torch_network.backbone_modules(
        model, backbone_layers) for parameter in module.parameters()]
    backbone = set(model.backbone.parameters())
    rest = [p for p in model.parameters() if p not in backbone]
    # Adam leaves out what has no gradient, and counts its steps one by one.
    self._adam = torch.optim.Adam([
        {'params': rest, 'scale': 1},
        {'params': layers, 'scale': backbone_lr_scale}], fused=True)
    torch_network.freeze(model, ())

  def unfreeze(self):
    """From the next step on the backbone's layers train."""
    torch_network.freeze(self.model, self._layers)

  def step(self, z, x, labels, rate):
    """Forward, backward, update.

    Args:
      z: [b, 3, 127, 127].
      x: [b, 3, 255, 255].
      labels: as for losses.
      rate: learning rate of neck and head.

    Returns:
      The losses before the update, scalar tensors.
    """
    self._adam.zero_grad(set_to_none=True)
    values = losses(self.model(z, x), labels, *self._weights)
    values['loss'].backward()
    torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._clip_norm)
    for group in self._adam.param_groups:
      group['lr'] = rate * group['scale']
    self._adam.step()
    if self._decay:
      self._move_average()
    self._steps += 1
    return {name: value.detach() for name, value in values.items()}

  @torch.no_grad()
  def _move_average(self):
    """The first steps count more."""
    share = 1 - min(self._decay, (1 + self._steps) / (10 + self._steps))
    for name, value in self._state.items():
      self.average[name].lerp_(value, share)
