"""Videos whose frames show their numbers."""

from pathlib import Path

import cv2
import numpy as np

from siamkpn_jax.tracking.video_file import VideoFile

COUNT, SIDE, KEY = 40, 96, 12  # KEY: frames between key frames, of FFmpeg


def numbered(number: int) -> np.ndarray:
  """A frame with 6 bars, the bits of its number, and noise."""
  rng = np.random.default_rng(number)
  frame = rng.integers(90, 140, (SIDE, SIDE, 3), np.uint8)
  for bit in range(6):
    frame[:, bit * 16:bit * 16 + 10] = 230 * (number >> bit & 1)
  return frame


def shown(frame: np.ndarray) -> int:
  columns = frame.mean((0, 2))
  return sum((columns[bit * 16 + 3:bit * 16 + 7].mean() > 115) << bit
             for bit in range(6))


def write_video(path: Path, codec: str) -> bytes:
  writer = cv2.VideoWriter(
      str(path), cv2.VideoWriter.fourcc(*codec), 25, (SIDE, SIDE))
  for number in range(COUNT):
    writer.write(numbered(number))
  writer.release()
  return path.read_bytes()


def read(path: Path) -> list[int | None]:
  return [None if frame is None else shown(frame)
          for frame in VideoFile(str(path)).frames()]
