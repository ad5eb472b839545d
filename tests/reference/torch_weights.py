"""Random weights in the PyTorch reference, and the scales they need."""

import torch

from tests.reference.weights import OUTPUTS, is_output, random_state


def load(model, state):
  """Loads {name: array} into a reference network, counters aside."""
  missing, unexpected = model.load_state_dict(
      {name: torch.from_numpy(value) for name, value in state.items()},
      strict=False)
  assert not unexpected and all('num_batches' in name for name in missing)


def shapes_of(model):
  return {name: tuple(v.shape) for name, v in model.state_dict().items()}


def calibrate(model, z, x, seed):
  """{module: scale}; one pass, each layer scaled before the next is measured.

  Args:
    model: reference network; its weights are replaced.
    z: [b, 3, 127, 127] template crops.
    x: [b, 3, 255, 255] search crops.
    seed: of the weights.
  """
  load(model, random_state(shapes_of(model), seed, {}))
  scales, hooks = {}, []

  def measure(name, module, inputs):
    if name in scales:  # the search crop comes after the template crop
      return
    if is_output(name):
      inputs = torch.nn.functional.conv2d(inputs, module.weight)
    if name.startswith('kpn_head'):  # what varies within the crop
      inputs = inputs - inputs.mean(dim=(2, 3), keepdim=True)
    scale = float(inputs.square().mean()**0.5)
    if is_output(name):
      scale /= OUTPUTS[name.split('.')[2]][1]
    scale = scales[name] = float(f'{scale:.3g}')
    if is_output(name):
      module.weight /= scale
    else:
      module.running_mean *= scale
      module.running_var *= scale**2

  for name, module in model.named_modules():
    if isinstance(module, torch.nn.BatchNorm2d) or is_output(name):
      hooks.append(module.register_forward_pre_hook(
          lambda m, args, name=name: measure(name, m, args[0])))
  with torch.no_grad():
    model.eval()(z, x)
  for hook in hooks:
    hook.remove()
  return scales
