"""What a small copy is made of: folders of tracks of frames."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

# What frames get to say in a folder's list, by (track, frame).
Entries = Mapping[tuple[int, int], Any]


@dataclasses.dataclass(frozen=True)
class Frame:
  """One frame as it is in the copy.

  Attributes:
    files: content of each file, by its path below the folder.
    entry: what the folder's list says of it.
  """

  files: Mapping[str, bytes]
  entry: Any = None


@dataclasses.dataclass(frozen=True)
class Material:
  """A folder that is to be copied.

  Attributes:
    name: of the folder, below the root.
    kind: how it lies there, in a word.
    lengths: number of frames of each track.
    make: (track, frame) -> the frame, smaller; None if it cannot be used, and
      then training would leave it out as well.
    sources: (track, frame) -> the files that it is made of.
    listing: what lists the chosen frames, path -> content.
    share: of the tracks that may be kept, at most.
  """

  name: str
  kind: str
  lengths: Sequence[int]
  make: Callable[[int, int], Frame | None]
  sources: Callable[[int, int], Sequence[Path]]
  listing: Callable[[Entries], Mapping[str, bytes]]
  share: float = 1.0

  def size(self) -> int:
    """Bytes of all files that it is made of."""
    return sum(path.stat().st_size
               for track, length in enumerate(self.lengths)
               for frame in range(length)
               for path in self.sources(track, frame) if path.is_file())


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
  """[h, w, 3] uint8 as a JPEG of a quality, 1 to 100.

  Huffman tables are made for the image: a few percent smaller, read as fast.
  """
  return cv2.imencode('.jpg', image, [
      cv2.IMWRITE_JPEG_QUALITY, quality,
      cv2.IMWRITE_JPEG_OPTIMIZE, 1])[1].tobytes()
