"""What the output video shows: boxes with labels, a caption, heatmaps."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.tracking.follow import LOST, FrameResult, Sight, TargetBox

# BGR, apart from one another and from most videos; by id, in turn.
_COLORS = ((80, 220, 60), (60, 160, 255), (255, 140, 70), (230, 90, 230),
           (70, 230, 240), (230, 230, 60), (140, 120, 255), (60, 60, 240),
           (170, 255, 170), (255, 190, 220))
_TEXT, _DARK = (255, 255, 255), (0, 0, 0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FAR = 2**14  # pixels; beyond it a corner is off any frame, and cv2 overflows
_DASH = 8  # times the thickness
_INSET = 4  # of an inset, its height in that of the frame


def color_of(target: int) -> tuple[int, int, int]:
  """The color of a target, BGR."""
  return _COLORS[(target - 1) % len(_COLORS)]


def draw_result(result: FrameResult) -> np.ndarray:
  """Draws all targets of a frame; lines and text grow with the frame.

  Args:
    result: of the frame, which is left as it is; its sights are inset.

  Returns:
    A new frame, uint8 [h, w, 3] BGR. The box of a lost target is dashed.
  """
  shown = result.frame.copy()
  _draw_insets(shown, result.sights)
  thickness = max(1, round(min(shown.shape[:2]) / 200))
  for number, target in result.targets.items():
    _draw_target(shown, number, target, thickness)
  caption = f'{result.number}' if result.decoded else (
      f'{result.number} not decoded')
  _write(shown, caption, (0, 0), _DARK, _TEXT)
  return shown


def _draw_target(frame: np.ndarray, number: int, target: TargetBox,
                 thickness: int) -> None:
  left, top, width, height = np.asarray(target.box_xywh, np.float64)
  corners = np.array([left, top, left + width, top + height])
  if not np.isfinite(corners).all():
    return
  lost = target.state == LOST
  x1, y1, x2, y2 = np.clip(np.rint(corners), -_FAR, _FAR).astype(int).tolist()
  color = color_of(number)
  if lost:
    _dashed(frame, (x1, y1, x2, y2), color, thickness)
  else:
    cv2.rectangle(frame, (x1, y1), (x2, y2), color, thickness)
  label = f'{number} {"lost " if lost else ""}{target.score:.2f}'
  _write(frame, label, (x1, y1), color, _DARK, above=True)


def _dashed(frame: np.ndarray, corners: tuple[int, int, int, int],
            color: tuple[int, int, int], thickness: int) -> None:
  """A dashed outline; what is outside the frame is not walked along."""
  x1, y1, x2, y2 = corners
  height, width = frame.shape[:2]
  step = _DASH * thickness
  for x in range(max(x1, 0), min(x2, width), 2 * step):
    for y in (y1, y2):
      cv2.line(frame, (x, y), (min(x + step, x2), y), color, thickness)
  for y in range(max(y1, 0), min(y2, height), 2 * step):
    for x in (x1, x2):
      cv2.line(frame, (x, y), (x, min(y + step, y2)), color, thickness)


def _write(frame: np.ndarray, text: str, place: tuple[int, int],
           background: tuple[int, ...], color: tuple[int, ...], *,
           above: bool = False) -> None:
  """Text on a plate that is moved into the frame."""
  scale = max(0.4, frame.shape[0] / 900)
  thickness = max(1, round(scale))
  (width, height), base = cv2.getTextSize(text, _FONT, scale, thickness)
  width, height = width + 8, height + base + 6
  x = max(0, min(place[0], frame.shape[1] - width))
  y = place[1] - height if above else place[1]
  y = max(0, min(y, frame.shape[0] - height))
  cv2.rectangle(frame, (x, y), (x + width, y + height), background, -1)
  cv2.putText(frame, text, (x + 4, y + height - base - 2), _FONT, scale, color,
              thickness, cv2.LINE_AA)


def _draw_insets(frame: np.ndarray, sights: Mapping[int, Sight]) -> None:
  """A row of heatmaps for each target, from the lower right corner upward."""
  height, width = frame.shape[:2]
  bottom = height
  for number, (heatmaps, crop) in sights.items():
    if crop is None or not len(heatmaps):
      continue
    side = min(height // _INSET, width // (2 * len(heatmaps)))
    if side < 2 or bottom < side:
      return
    row = _heatmap_row(heatmaps, crop, side)
    cv2.rectangle(row, (0, 0), (row.shape[1] - 1, side - 1), color_of(number),
                  1)
    frame[bottom - side:bottom, width - row.shape[1]:] = row
    bottom -= side


def _heatmap_row(heatmaps: Sequence[np.ndarray] | np.ndarray,
                 crop: np.ndarray, side: int) -> np.ndarray:
  """[side, s * side, 3]: each stage over the middle of the crop it covers."""
  first, last = geometry.cell_positions()[[0, -1]]
  low = max(round(float(first) - geometry.STRIDE / 2), 0)
  high = round(float(last) + geometry.STRIDE / 2)
  below = cv2.resize(np.ascontiguousarray(crop[low:high, low:high]),
                     (side, side), interpolation=cv2.INTER_AREA)
  tiles = []
  for heatmap in heatmaps:
    values = np.clip(heatmap / max(float(heatmap.max()), 1e-6), 0, 1)
    warm = cv2.applyColorMap((values * 255).astype(np.uint8),
                             cv2.COLORMAP_INFERNO)
    warm = cv2.resize(warm, (side, side), interpolation=cv2.INTER_LINEAR)
    tiles.append(cv2.addWeighted(warm, 0.7, below, 0.3, 0))
  return np.concatenate(tiles, axis=1)
