"""Frames that are told apart by their gray value."""

from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.tracking.video import open_frames


def gray_frame(value: int, width: int = 64, height: int = 48) -> np.ndarray:
  return np.full((height, width, 3), value, np.uint8)


def write_images(folder: Path, names: list[str]) -> Path:
  """Writes frames whose gray value is 10 times their place in `names`."""
  folder.mkdir(parents=True, exist_ok=True)
  for place, name in enumerate(names):
    assert cv2.imwrite(str(folder / name), gray_frame(10 * place))
  return folder


def read_values(path: Path) -> list[int]:
  with open_frames(path) as source:
    return [round(frame.mean() / 10) for frame in source]
