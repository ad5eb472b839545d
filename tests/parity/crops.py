"""Crops that both sides see, and labels of a batch of two."""

import functools

import cv2
import numpy as np

from tests.parity.networks import GOLDENS
from tests.reference import labels as reference_labels

BOXES = np.array([[140.0, 118.0, 70.0, 52.0], [127.0, 127.0, 60.0, 60.0]])
NEGATIVE = np.array([False, True])


@functools.cache
def crops():
  """z [2, 127, 127, 3], x [2, 255, 255, 3] uint8, as committed."""
  read = lambda side: np.stack([
      cv2.imread(str(GOLDENS / f'crop{side}_{n}.png')) for n in range(2)])
  return read(127), read(255)


def labels(num_stages):
  """Of `BOXES`: heatmaps [s, b, 31, 31], offsets, size, mask."""
  parts = [reference_labels.labels(box, negative, num_stages)
           for box, negative in zip(BOXES, NEGATIVE, strict=True)]
  heatmaps, offsets, size, mask, _ = (
      np.stack(part) for part in zip(*parts, strict=True))
  return {'heatmaps': heatmaps.swapaxes(0, 1), 'offsets': offsets,
          'size': size, 'mask': mask}


def torch_labels(num_stages):
  """`labels` as float64 tensors, channels first."""
  import torch
  values = labels(num_stages)
  for name in ('offsets', 'size'):
    values[name] = values[name].transpose(0, 3, 1, 2)
  return {name: torch.from_numpy(value) for name, value in values.items()}
