"""Writes the golden files, with PyTorch and the reference only.

  SIAMKPN_TEST_DATA=DIR python -m tests.goldens.make

See README.md beside this file.
"""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import torch

from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.evaluation.formats.sequences import load_otb
from tests.parity import crops as shared
from tests.parity import networks
from tests.parity.summaries import summarize
from tests.reference import torch_network, torch_training, tracking
from tests.reference.torch_tracker import TorchTracker, to_tensor
from tests.reference.torch_weights import calibrate

SEQUENCES = 'small', 3, ['Couple', 'uav_wakeboard7', 'davis_car-shadow']
CALIBRATION = ('Crossing', 'David', 'Skiing', 'Jumping')


def make_crops():
  """Rendered, because photographs are not ours to commit."""
  for n in range(2):
    scene = Scene(11, n, size=(320, 240), length=4)
    tracker = tracking.Tracker(None, tracking.SETTINGS)
    tracker.init(scene.render(0)[0], scene.box(0))
    side = tracking.context_side(*tracker.size) * 255 / 127
    search = tracking.crop(
        scene.render(3)[0], tracker.center, side, 255, tracker.fill)
    for crop in (tracker.template_crop, search):
      cv2.imwrite(str(networks.GOLDENS / f'crop{len(crop)}_{n}.png'), crop)


def make_scales(sequences):
  """Measured on photographs."""
  pairs = []
  for sequence in sequences:
    frames = [cv2.imread(str(sequence.frames[n])) for n in (0, 1)]
    tracker = tracking.Tracker(None, tracking.SETTINGS)
    tracker.init(frames[0], sequence.boxes_xywh[0])
    side = tracking.context_side(*tracker.size) * 255 / 127
    pairs.append((tracker.template_crop, tracking.crop(
        frames[1], tracker.center, side, 255, tracker.fill)))
  z, x = (to_tensor(np.stack(part)) for part in zip(*pairs, strict=True))
  scales = {
      name: calibrate(torch_network.SiamKPN(3, **settings), z, x,
                      networks.SEED)
      for name, settings in networks.SETTINGS.items()}
  (networks.GOLDENS / 'scales.json').write_text(
      json.dumps(scales, indent=1) + '\n')


@torch.no_grad()
def make_network():
  """Every block and the last maps, in float64."""
  z, x = (to_tensor(part[:1]).double() for part in shared.crops())
  out = {}
  for name, num_stages in networks.CASES:
    model = networks.torch_network(name, num_stages).double()
    maps, activations = torch_network.record(model, z, x)
    for module, values in activations.items():
      out[f'{name}{num_stages}/{module}'] = np.stack(
          [summarize(value) for value in values])
    for task, value in maps[-1].items():
      out[f'{name}{num_stages}/maps/{task}'] = value.float().numpy()
  np.savez_compressed(networks.GOLDENS / 'network.npz', **out)


def make_training():
  """Losses, gradients and statistics of one step in each phase, float64."""
  z, x = (to_tensor(part).double() for part in shared.crops())
  out = {}
  for phase, layers in (('frozen', ()),
                        ('unfrozen', ('layer2', 'layer3', 'layer4'))):
    model = networks.torch_network('small', 3).double()
    losses, gradients, state = torch_training.train_step(
        model, z, x, shared.torch_labels(3), layers)
    for task, value in losses.items():
      out[f'{phase}/losses/{task}'] = np.float64(value)
    for name, value in gradients.items():
      out[f'{phase}/gradients/{name}'] = summarize(value)
    for name, value in state.items():
      if 'running' in name:
        out[f'{phase}/statistics/{name}'] = summarize(value)
  np.savez_compressed(networks.GOLDENS / 'training.npz', **out)


def make_boxes(data):
  """The reference tracker over whole sequences."""
  name, num_stages, sequences = SEQUENCES
  out = {}
  for sequence in load_otb(data, names=sequences):
    tracker = TorchTracker(networks.torch_network(name, num_stages))
    out[sequence.name] = tracker.run(sequence).tolist()
  (networks.GOLDENS / 'boxes.json').write_text(json.dumps({
      'network': name, 'stages': num_stages, 'boxes': out}) + '\n')


def main():
  data = Path(os.environ['SIAMKPN_TEST_DATA']) / 'sequences'
  make_crops()
  make_scales(load_otb(data, names=CALIBRATION))
  make_network()
  make_training()
  make_boxes(data)


if __name__ == '__main__':
  main()
