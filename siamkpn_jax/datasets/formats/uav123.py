"""UAV123: 123 sequences, some of them parts of one video.

  <root>/anno/UAV123/<sequence>.txt        one "x,y,w,h" per frame, NaN where
                                           nothing is visible
  <root>/data_seq/UAV123/<video>/000001.jpg ...

Pixels are counted from 1.
"""

from pathlib import Path

from siamkpn_jax.datasets.formats import scan
from siamkpn_jax.datasets.formats.annotations import Found
from siamkpn_jax.datasets.formats.video import VideoFiles, read_annotations

# First and last frame of bird1_1, bird1_2 ... in the images of bird1. Source:
# the sequence table of the benchmark (Mueller, Smith, Ghanem, "A Benchmark and
# Simulator for UAV Tracking", ECCV 2016).
_PARTS = {
    'bird1': ((1, 253), (775, 1477), (1573, 2437)),
    'car1': ((1, 751), (751, 1627), (1627, 2629)),
    'car6': ((1, 487), (487, 1807), (1807, 2953), (2953, 3925), (3925, 4861)),
    'car8': ((1, 1357), (1357, 2575)),
    'car16': ((1, 415), (415, 1993)),
    'group1': ((1, 1333), (1333, 2515), (2515, 3925), (3925, 4873)),
    'group2': ((1, 907), (907, 1771), (1771, 2683)),
    'group3': ((1, 1567), (1567, 2827), (2827, 4369), (4369, 5527)),
    'person2': ((1, 1189), (1189, 2623)),
    'person4': ((1, 1501), (1501, 2743)),
    'person5': ((1, 877), (877, 2101)),
    'person7': ((1, 1249), (1249, 2065)),
    'person8': ((1, 1075), (1075, 1525)),
    'person12': ((1, 601), (601, 1621)),
    'person14': ((1, 847), (847, 1813), (1813, 2923)),
    'person17': ((1, 1501), (1501, 2347)),
    'person19': ((1, 1243), (1243, 2791), (2791, 4357)),
    'truck4': ((1, 577), (577, 1261)),
    'uav1': ((1, 1555), (1555, 2377), (2473, 3469)),
}

_EXPECTED = 'anno/UAV123/<sequence>.txt and data_seq/UAV123/<video>/*.jpg'


def load(folder: Path) -> list[Found]:
  """All sequences, sorted by name.

  Raises:
    UserError: nothing to read, or a damaged file.
  """
  paths = scan.files(folder / 'anno' / 'UAV123', '.txt')
  return read_annotations([_video(folder, path) for path in paths], folder,
                          _EXPECTED)


def _video(folder: Path, path: Path) -> VideoFiles:
  video, _, part = path.stem.rpartition('_')
  if video in _PARTS and part.isdecimal() and (
      1 <= int(part) <= len(_PARTS[video])):
    frame_range = _PARTS[video][int(part) - 1]
  else:
    video, frame_range = path.stem, None
  return VideoFiles(path.stem, path, folder / 'data_seq' / 'UAV123' / video,
                    origin=1, frame_range=frame_range)
