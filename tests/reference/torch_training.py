"""The losses and one training step in PyTorch (SPEC 6 and 7)."""

import torch
from torch.nn import functional as F

from tests.reference import torch_network

ALPHA, BETA, GAMMA = 2, 4, 0.05
SIZE_WEIGHT = 0.05


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
  error = F.smooth_l1_loss(prediction, target, reduction='none')
  # The weights do not enter the divisor.
  error = error * (weights * mask)[:, None]
  return error.sum() / (2 * mask.sum().clamp(min=1))


def losses(maps, labels):
  """The four losses as scalar tensors.

  Args:
    maps: per stage 'heatmap' [b, 1, 31, 31], 'offsets' and 'size'
      [b, 2, 31, 31].
    labels: 'heatmaps' [s, b, 31, 31], 'offsets' and 'size' [b, 2, 31, 31],
      'mask' [b, 31, 31] bool, the cells of the regression circle.
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
  return {'loss': heatmap + offsets + SIZE_WEIGHT * size,
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
