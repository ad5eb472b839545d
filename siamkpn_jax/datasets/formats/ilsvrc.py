"""What the folders of ImageNet-VID and ImageNet-DET have in common.

  [ILSVRC*/]Annotations/<kind>/train/**/<stem>.xml    kind: VID or DET
  [ILSVRC*/]Data/<kind>/train/**/<stem>.JPEG

Source: Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge",
IJCV 2015.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from siamkpn_jax.core import reading
from siamkpn_jax.core.images import natural_key
from siamkpn_jax.core.numbers import real
from siamkpn_jax.datasets.formats import scan
from siamkpn_jax.datasets.interchange import safe_xml
from siamkpn_jax.datasets.tracks import Dropped

# An object of an image: its `trackid`, None in still images, and its box xywh,
# pixels, NaN where a corner is missing.
Target = tuple[str | None, list[float]]
Frame = tuple[str, list[Target]]  # an image and what is in it


def find(folder: Path, kind: str) -> str | None:
  """'' or 'ILSVRC2015/': where the annotations of a kind lie, if anywhere."""
  roots = [f'{name}/' for name in scan.folders(folder)
           if name.startswith('ILSVRC')]
  return next((root for root in ('', *roots)
               if (folder / root / 'Annotations' / kind / 'train').is_dir()),
              None)


def annotation_folders(folder: Path, kind: str) -> list[Path]:
  """The folders of XML files: too many files to look at each of them."""
  root = find(folder, kind)
  if root is None:
    return []
  found = [folder / root / 'Annotations' / kind / 'train']
  level = found
  for _ in range(2):  # parts, and videos or classes in them
    level = [path / name for path in level for name in scan.folders(path)]
    found = found + level
  return found


def walk(folder: Path, kind: str,
         dropped: Dropped) -> Iterator[tuple[str, list[Frame]]]:
  """Every folder that holds XML files, relative to .../train.

  Yields:
    The folder, and (image relative to `folder`, its targets) for each XML file
    in natural order. Of an XML file without image the official name is given.
  """
  root = find(folder, kind) or ''
  top = folder / root / 'Annotations' / kind / 'train'
  for path, subs, files in os.walk(top, followlinks=True):
    subs[:] = sorted((f for f in subs if not scan.hidden(f)), key=natural_key)
    xmls = sorted((f for f in files
                   if f.endswith('.xml') and not scan.hidden(f)),
                  key=natural_key)
    if xmls:
      sub = Path(path).relative_to(top).as_posix()
      images = f'{root}Data/{kind}/train/{sub}'
      yield sub, list(_frames(folder, images, Path(path), xmls, dropped))


def read_targets(path: Path) -> list[Target]:
  """The objects of an XML file.

  The sides are the differences of the corners, as in every tracker that trains
  on these sets.

  Raises:
    UnreachableError: the system does not give it.
    ValueError: the file is missing or not XML, or a corner is not a number.
  """
  root = safe_xml.parse(reading.read_bytes(path))
  targets: list[Target] = []
  for item in root.iter('object'):
    x1, y1, x2, y2 = (real(item.findtext(f'bndbox/{corner}') or 'nan')
                      for corner in ('xmin', 'ymin', 'xmax', 'ymax'))
    targets.append((item.findtext('trackid'), [x1, y1, x2 - x1, y2 - y1]))
  return targets


def _frames(folder: Path, images: str, annotations: Path, xmls: list[str],
            dropped: Dropped) -> Iterator[Frame]:
  by_stem = {scan.stem(image): image for image in scan.images(folder, images)}
  for xml in xmls:
    image = by_stem.pop(scan.stem(xml), f'{images}/{scan.stem(xml)}.JPEG')
    try:
      yield image, read_targets(annotations / xml)
    except ValueError:
      dropped.add('frames: annotation cannot be read', str(annotations / xml))
  dropped.add('frames: images without a box', images, len(by_stem))
