"""What the output video shows: the box and a small caption."""

import cv2
import numpy as np

_FOUND = (0, 255, 0)  # BGR
_LOST = (0, 0, 255)
_TEXT = (255, 255, 255)
_BACKGROUND = (0, 0, 0)
_FAR = 2**14  # pixels; beyond it a corner is off any frame, and cv2 overflows


def draw_result(frame: np.ndarray, box_xywh: np.ndarray, caption: str, *,
                found: bool = True) -> np.ndarray:
  """Draws a box and a caption; line and text grow with the frame.

  Args:
    frame: uint8 [h, w, 3] BGR; left as it is.
    box_xywh: [4] left, top, width, height in pixels; may leave the frame.
    caption: text of the top left corner.
    found: False draws the box in red, not green.

  Returns:
    A new frame, uint8 [h, w, 3] BGR.
  """
  shown = frame.copy()
  thickness = max(1, round(min(frame.shape[:2]) / 200))
  _draw_box(shown, box_xywh, _FOUND if found else _LOST, thickness)
  _draw_caption(shown, caption)
  return shown


def _draw_box(frame: np.ndarray, box_xywh: np.ndarray,
              color: tuple[int, int, int], thickness: int) -> None:
  left, top, width, height = np.asarray(box_xywh, np.float64)
  corners = np.array([left, top, left + width, top + height])
  if not np.isfinite(corners).all():
    return
  x1, y1, x2, y2 = np.clip(np.rint(corners), -_FAR, _FAR).astype(int).tolist()
  cv2.rectangle(frame, (x1, y1), (x2, y2), color, thickness)


def _draw_caption(frame: np.ndarray, caption: str) -> None:
  font = cv2.FONT_HERSHEY_SIMPLEX
  scale = max(0.4, frame.shape[0] / 900)
  thickness = max(1, round(scale))
  (width, height), base = cv2.getTextSize(caption, font, scale, thickness)
  cv2.rectangle(frame, (0, 0), (width + 8, height + base + 6), _BACKGROUND, -1)
  cv2.putText(frame, caption, (4, height + 4), font, scale, _TEXT, thickness,
              cv2.LINE_AA)
