"""What the output video shows: boxes with labels, a caption, heatmaps."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.tracking.follow import FrameResult, Sight

Color = tuple[int, int, int]

# BGR, apart from one another and from most videos; by id, in turn.
COLORS: tuple[Color, ...] = (
    (80, 220, 60), (60, 160, 255), (255, 140, 70), (230, 90, 230),
    (70, 230, 240), (230, 230, 60), (140, 120, 255), (60, 60, 240),
    (170, 255, 170), (255, 190, 220))
_TEXT, _DARK = (255, 255, 255), (0, 0, 0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FAR = 2**14  # pixels; beyond it a corner is off any frame, and cv2 overflows
_DASH = 8  # times the thickness
_INSET = 4  # of an inset, its height in that of the frame

Area = tuple[int, int, int, int]  # left, top, right, bottom


def color_of(target: int, colors: Sequence[Color] = COLORS) -> Color:
  """The color of a target, BGR."""
  return colors[(target - 1) % len(colors)]


def draw_result(result: FrameResult, colors: Sequence[Color] = COLORS, *,
                confidence: bool = False) -> np.ndarray:
  """Draws all targets of a frame; lines and text grow with the frame.

  Args:
    result: of the frame, which is left as it is; its sights are inset.
    colors: of the targets, in turn.
    confidence: of a box whose confidence is known, write that instead of the
      score.

  Returns:
    A new frame, uint8 [h, w, 3] BGR. The box of a lost target is dashed; its
    label has its number, then the score or what `confidence` asks for.
  """
  shown = result.frame.copy()
  thickness = max(1, round(min(shown.shape[:2]) / 200))
  insets = _draw_insets(shown, result.sights, thickness, colors)
  caption = f'{result.number}' if result.decoded else (
      f'{result.number} not decoded')
  taken = [_write(shown, caption, [(0, 0)], _DARK, _TEXT, ()), insets]
  outlines = {number: area for number, target in result.targets.items()
              if (area := _outline(target.box_xywh)) is not None}
  for number, area in outlines.items():
    draw = _rectangle if result.targets[number].found else _dashed
    draw(shown, area, color_of(number, colors), thickness)
  for number, (x1, y1, _, y2) in outlines.items():  # on top of all outlines
    target = result.targets[number]
    value = target.score
    if confidence and target.confidence is not None:
      value = target.confidence
    label = f'{number} {"" if target.found else "lost "}{value:.2f}'
    high = _plate(shown, label)[1]
    places = [(x1, y) for y in (y1 - high, y1 - 2 * high, y2, y2 + high)]
    taken.append(_write(shown, label, places, color_of(number, colors), _DARK,
                        taken))
  return shown


def _outline(box_xywh: np.ndarray) -> Area | None:
  """The corners in whole pixels; None of a box that is not known."""
  left, top, width, height = np.asarray(box_xywh, np.float64)
  corners = np.array([left, top, left + width, top + height])
  if not np.isfinite(corners).all():
    return None
  x1, y1, x2, y2 = np.clip(np.rint(corners), -_FAR, _FAR).astype(int).tolist()
  return x1, y1, x2, y2


def _rectangle(frame: np.ndarray, corners: Area, color: tuple[int, int, int],
               thickness: int) -> None:
  cv2.rectangle(frame, corners[:2], corners[2:], color, thickness)


def _dashed(frame: np.ndarray, corners: Area, color: tuple[int, int, int],
            thickness: int) -> None:
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


def _plate(frame: np.ndarray, text: str) -> tuple[int, int, int, float, int]:
  """Width, height and base line of a text's plate; its scale, its strokes."""
  scale = max(0.4, frame.shape[0] / 900)
  strokes = max(1, round(1.5 * scale))
  (width, height), base = cv2.getTextSize(text, _FONT, scale, strokes)
  return width + 8, height + base + 6, base, scale, strokes


def _write(frame: np.ndarray, text: str, places: Sequence[tuple[int, int]],
           background: tuple[int, ...], color: tuple[int, ...],
           taken: Sequence[Area]) -> Area:
  """Text on a plate, which is moved into the frame.

  Args:
    frame: is written on.
    text: to write.
    places: of the upper left corner; the first is used at which the plate hides
      none that is `taken`, else the first of all.
    background: color of the plate, BGR.
    color: of the text, BGR.
    taken: areas of other plates.

  Returns:
    Its area.
  """
  width, height, base, scale, strokes = _plate(frame, text)
  areas = []
  for wanted in places:
    x = max(0, min(wanted[0], frame.shape[1] - width))
    y = max(0, min(wanted[1], frame.shape[0] - height))
    areas.append((x, y, x + width, y + height))
  area = next((area for area in areas
               if not any(_overlap(area, other) for other in taken)), areas[0])
  x, y = area[:2]
  cv2.rectangle(frame, (x, y), (x + width, y + height), background, -1)
  cv2.putText(frame, text, (x + 4, y + height - base - 2), _FONT, scale, color,
              strokes, cv2.LINE_AA)
  return area


def _overlap(one: Area, other: Area) -> bool:
  return (one[0] < other[2] and other[0] < one[2] and
          one[1] < other[3] and other[1] < one[3])


def _draw_insets(frame: np.ndarray, sights: Mapping[int, Sight],
                 thickness: int, colors: Sequence[Color]) -> Area:
  """A row of heatmaps for each target, from the lower right corner upward.

  All rows together fill at most half of the height: the video is to be seen.

  Returns:
    The area that they cover.
  """
  height, width = frame.shape[:2]
  bottom, left = height, width
  for number, (heatmaps, crop) in sights.items():
    if crop is None or not len(heatmaps):
      continue
    side = min(height // max(_INSET, 2 * len(sights)),
               width // (2 * len(heatmaps)))
    if side < 2:
      break
    row = _heatmap_row(heatmaps, crop, side)
    edge = thickness // 2  # of a line, half is outside of its points
    cv2.rectangle(row, (edge, edge), (row.shape[1] - 1 - edge, side - 1 - edge),
                  color_of(number, colors), thickness)
    left = min(left, width - row.shape[1])
    frame[bottom - side:bottom, width - row.shape[1]:] = row
    bottom -= side
  return left, bottom, width, height


def _heatmap_row(heatmaps: Sequence[np.ndarray] | np.ndarray,
                 crop: np.ndarray, side: int) -> np.ndarray:
  """[side, s * side, 3]: each stage over the middle of the crop it covers."""
  covered = geometry.STRIDE * heatmaps[0].shape[-1]
  low = max((len(crop) - covered) // 2, 0)
  high = low + covered
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
