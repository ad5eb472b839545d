"""The reference tracker around the PyTorch network."""

import cv2
import numpy as np
import torch

from tests.reference import tracking


def to_tensor(crops):
  """[b, h, w, 3] uint8 -> [b, 3, h, w] float32."""
  return torch.from_numpy(crops).permute(0, 3, 1, 2).float()


class TorchTracker(tracking.Tracker):
  """`tracking.Tracker` with a torch_network.SiamKPN in inference mode."""

  def __init__(self, model, settings=tracking.SETTINGS):
    super().__init__(self._maps, settings)
    self._model = model

  @torch.no_grad()
  def _maps(self, z, x):
    last = self._model(to_tensor(z[None]), to_tensor(x[None]))[-1]
    heatmap, offsets, size = (
        last[task][0].permute(1, 2, 0).numpy()
        for task in ('heatmap', 'offsets', 'size'))
    return heatmap[..., 0], offsets, size

  def run(self, sequence):
    """[n, 4] boxes xywh of all frames after the first."""
    frames = (cv2.imread(str(path)) for path in sequence.frames)
    self.init(next(frames), sequence.boxes_xywh[0])
    return np.array([self.update(frame) for frame in frames])
