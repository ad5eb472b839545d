"""A picture of training pairs as the network sees them, with their labels."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import jax
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.core.atomic_io import write_file
from siamkpn_jax.training.step import TrainStep
from siamkpn_jax.training.targets import Targets

_GAP = 4  # pixels between pictures
_COLUMNS = 2  # pairs beside each other
_BOX = (80, 220, 80)  # BGR


def save_preview(path: Path, step: TrainStep,
                 batch: Mapping[str, np.ndarray]) -> None:
  """Draws a batch: template, search crop with its box, label heatmaps.

  Args:
    path: of the image to write, .png or .jpg.
    step: whose augmentation and labels are shown.
    batch: as `Loader` makes them.

  Raises:
    UserError: the file cannot be written.
  """
  z, x, labels = jax.device_get(jax.jit(step.prepare)(dict(batch)))
  rows = [_row(k, z[k], x[k], labels, step) for k in range(len(z))]
  rows += [np.full_like(rows[0], 255)] * (-len(rows) % _COLUMNS)
  sheet = np.vstack([np.hstack(rows[k:k + _COLUMNS])
                     for k in range(0, len(rows), _COLUMNS)])
  write_file(path, cv2.imencode(path.suffix, sheet)[1].tobytes())


def _row(k: int, z: np.ndarray, x: np.ndarray, labels: Targets,
         step: TrainStep) -> np.ndarray:
  """One pair: [255 + gap, n * (255 + gap), 3] uint8."""
  size = geometry.SEARCH_SIZE
  template = np.full((size, size, 3), 255, np.uint8)
  low = (size - geometry.TEMPLATE_SIZE) // 2
  inner = slice(low, low + geometry.TEMPLATE_SIZE)
  template[inner, inner] = _pixels(z)
  search = _pixels(x)
  pictures = [template, _with_box(search, k, labels, step)]
  pictures += [_with_heatmap(search, heatmap[k])
               for heatmap in labels.heatmaps]
  pad = ((0, _GAP), (0, _GAP), (0, 0))
  return np.hstack([np.pad(p, pad, constant_values=255) for p in pictures])


def _pixels(crop: np.ndarray) -> np.ndarray:
  """Color augmentation leaves 0..255."""
  return np.ascontiguousarray(crop.clip(0, 255).astype(np.uint8))


def _with_box(crop: np.ndarray, k: int, labels: Targets,
              step: TrainStep) -> np.ndarray:
  """The box that the labels of pair k describe; none where it is negative."""
  crop = crop.copy()
  cells = np.argwhere(labels.heatmaps[-1][k] == 1)
  if not len(cells):
    cv2.putText(crop, 'negative', (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, _BOX,
                1, cv2.LINE_AA)
    return crop
  i, j = cells[0]
  at = geometry.cell_positions()[[j, i]]
  unit = geometry.offset_unit(step.targets.offset_target)
  center = at + unit * labels.offsets[k, i, j]
  half = labels.size[k, i, j] / 2
  (x1, y1), (x2, y2) = np.round(
      [center - half, center + half]).astype(int).tolist()
  cv2.rectangle(crop, (x1, y1), (x2, y2), _BOX, 2)
  return crop


def _with_heatmap(crop: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
  """The heatmap in colors over the gray crop, each cell where it sits."""
  # Cells are 8 pixels apart, the outer ones 7 pixels inside the crop.
  side = geometry.STRIDE * geometry.MAP_SIZE
  grown = cv2.resize(heatmap.astype(np.float32), (side, side),
                     interpolation=cv2.INTER_LINEAR)
  border = geometry.SEARCH_SIZE - side
  before = border // 2
  grown = cv2.copyMakeBorder(grown, before, border - before, before,
                             border - before, cv2.BORDER_REPLICATE)
  colors = cv2.applyColorMap((255 * grown).astype(np.uint8), cv2.COLORMAP_JET)
  gray = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY),
                      cv2.COLOR_GRAY2BGR)
  return cv2.addWeighted(gray, 0.5, colors, 0.5, 0)
