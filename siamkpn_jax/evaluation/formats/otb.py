"""The folder layout of OTB.

  <root>/<name>/img/0001.jpg ...      .jpg .jpeg .png .bmp
  <root>/<name>/groundtruth_rect.txt  one "x,y,w,h" per frame; or, for several
                                      targets, groundtruth_rect.1.txt, .2.txt

OTB counts pixels from 1.
"""

from pathlib import Path

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.evaluation.formats.annotations import (
  Annotation,
  hidden,
  read_truth,
  subfolders,
)

LAYOUT = '<name>/img/*.jpg and <name>/groundtruth_rect.txt'

# First and last annotated frame, by the number in the file name, where OTB
# annotates a part of the images it ships. Source: the benchmark's home page
# (Wu, Lim, Yang, "Object Tracking Benchmark", TPAMI 2015).
FRAME_RANGES = {
    'blurcar1': (247, 988),
    'blurcar3': (3, 359),
    'blurcar4': (18, 397),
    'david': (300, 770),
    'diving': (1, 215),
    'football1': (1, 74),
    'freeman3': (1, 460),
    'freeman4': (1, 283),
    'tiger1': (6, 354),
}

# The sequences of OTB-100, those of two targets once for each.
OTB_100 = (
    'Basketball', 'Biker', 'Bird1', 'Bird2', 'BlurBody', 'BlurCar1', 'BlurCar2',
    'BlurCar3', 'BlurCar4', 'BlurFace', 'BlurOwl', 'Board', 'Bolt', 'Bolt2',
    'Box', 'Boy', 'Car1', 'Car2', 'Car24', 'Car4', 'CarDark', 'CarScale',
    'ClifBar', 'Coke', 'Couple', 'Coupon', 'Crossing', 'Crowds', 'Dancer',
    'Dancer2', 'David', 'David2', 'David3', 'Deer', 'Diving', 'Dog', 'Dog1',
    'Doll', 'DragonBaby', 'Dudek', 'FaceOcc1', 'FaceOcc2', 'Fish', 'FleetFace',
    'Football', 'Football1', 'Freeman1', 'Freeman3', 'Freeman4', 'Girl',
    'Girl2', 'Gym', 'Human2', 'Human3', 'Human4-2', 'Human5', 'Human6',
    'Human7', 'Human8', 'Human9', 'Ironman', 'Jogging-1', 'Jogging-2', 'Jump',
    'Jumping', 'KiteSurf', 'Lemming', 'Liquor', 'Man', 'Matrix', 'Mhyang',
    'MotorRolling', 'MountainBike', 'Panda', 'RedTeam', 'Rubik', 'Shaking',
    'Singer1', 'Singer2', 'Skater', 'Skater2', 'Skating1', 'Skating2-1',
    'Skating2-2', 'Skiing', 'Soccer', 'Subway', 'Surfer', 'Suv', 'Sylvester',
    'Tiger1', 'Tiger2', 'Toy', 'Trans', 'Trellis', 'Twinnings', 'Vase',
    'Walking', 'Walking2', 'Woman',
)


def load(folder: Path) -> list[Annotation]:
  """All sequences of a folder, or the one that it is, sorted by name.

  Raises:
    UserError: nothing to read, or a damaged annotation.
  """
  return [read(name, path)
          for name, path in sorted(find_annotations(folder).items())]


def read(name: str, path: Path, origin: int = 1) -> Annotation:
  """One sequence by its annotation file.

  Raises:
    UserError: a damaged annotation.
  """
  return Annotation(name, read_truth(path), origin,
                    images=path.parent / 'img',
                    frame_range=FRAME_RANGES.get(name.lower()))


def find_annotations(folder: Path) -> dict[str, Path]:
  """Sequence name -> annotation file, for everything under `folder`.

  Raises:
    UserError: nothing is there, or two sequences of one name.
  """
  if not folder.is_dir():
    raise UserError(f'{folder} is not a folder; expected a folder that holds '
                    f'{LAYOUT}; check the path')
  found = search(folder)
  if not found:
    raise UserError(f'no sequences in {folder}; expected {LAYOUT}; '
                    'check the path')
  return found


def search(folder: Path) -> dict[str, Path]:
  """As `find_annotations`, for a folder; nothing found is no error.

  Raises:
    UserError: two sequences of one name.
  """
  found = annotations_of(folder)
  if not found:
    for sub in subfolders(folder):
      for name, path in annotations_of(sub).items():
        if name in found:
          raise UserError(f'two sequences are called {name}: {found[name]} and '
                          f'{path}; rename one folder')
        found[name] = path
  return found


def annotations_of(folder: Path) -> dict[str, Path]:
  """Sequence name -> annotation file, one for each target of a folder."""
  name = folder.absolute().name
  plain = folder / 'groundtruth_rect.txt'
  if plain.is_file():
    return {name: plain}
  numbered = {}
  for path in folder.glob('groundtruth_rect.*.txt'):
    target = path.name.split('.')[1]
    # Human4 ships an empty file for its first target; OTB uses the second.
    if target.isdecimal() and results.read_text(path).strip():
      numbered[int(target)] = path
  return {f'{name}-{i}': numbered[i] for i in sorted(numbered)}


def skipped_folders(folder: str | Path) -> list[str]:
  """Names of the folders that `load` leaves out, sorted."""
  folder = Path(folder)
  if not folder.is_dir() or annotations_of(folder):
    return []
  return [f.name for f in sorted(folder.iterdir())
          if f.is_dir() and (hidden(f) or not annotations_of(f))]
