"""OTB, the Object Tracking Benchmark: 100 sequences; also others laid out so.

  <root>/<name>/img/0001.jpg ...      .jpg .jpeg .png .bmp
  <root>/<name>/groundtruth_rect.txt  one "x,y,w,h" per frame; or, for several
                                      targets, groundtruth_rect.1.txt, .2.txt

  <root>/<name>.txt ...               annotations alone, as the toolkit has them

Pixels are counted from 1.
"""

from pathlib import Path

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats import folder as plain_folder
from siamkpn_jax.datasets.formats import scan, text
from siamkpn_jax.datasets.formats.annotations import Found
from siamkpn_jax.datasets.formats.otb_ranges import FRAME_RANGES
from siamkpn_jax.datasets.formats.video import VideoFiles, read_annotations

EXPECTED = '<name>/img/*.jpg and <name>/groundtruth_rect.txt'

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


def load(folder: Path) -> list[Found]:
  """All sequences of a folder, or the one that it is, sorted by name.

  Raises:
    UserError: nothing to read, two sequences of one name, or a damaged
      annotation.
  """
  # Text files beside the folders of sequences are none.
  videos = find_videos(folder) or [
      _video(files.name, files.boxes, None)
      for files in plain_folder.annotation_files(folder)]
  return read_annotations(videos, folder, EXPECTED)


def skipped_folders(folder: str | Path) -> list[str]:
  """Names of the folders that `load` leaves out, sorted."""
  folder = Path(folder)
  if not folder.is_dir() or _targets(folder):
    return []
  return [f.name for f in sorted(folder.iterdir())
          if f.is_dir() and (scan.hidden(f.name) or not _targets(f))]


def find_videos(folder: Path) -> list[VideoFiles]:
  """The same, without reading them and without the toolkit's files.

  Raises:
    UserError: two sequences of one name.
  """
  found: dict[str, VideoFiles] = {}
  for video in _targets(folder) or [
      video for home in scan.sequences(folder) for video in _targets(home)]:
    if video.name in found:
      raise UserError(f'duplicate sequence {video.name}: '
                      f'{found[video.name].boxes} and {video.boxes}; expected '
                      'unique names: rename one folder')
    found[video.name] = video
  return [found[name] for name in sorted(found)]


def _targets(home: Path) -> list[VideoFiles]:
  """The targets that are annotated in the folder of a video."""
  name, plain = home.absolute().name, home / 'groundtruth_rect.txt'
  if plain.is_file():
    return [_video(name, plain, home / 'img')]
  numbered = {}
  for path in home.glob('groundtruth_rect.*.txt'):
    target = path.name.split('.')[1]
    # Human4 ships an empty file for its first target; OTB uses the second.
    if target.isdecimal() and text.read_text(path).strip():
      numbered[int(target)] = path
  return [_video(f'{name}-{i}', numbered[i], home / 'img')
          for i in sorted(numbered)]


def _video(name: str, boxes: Path, images: Path | None) -> VideoFiles:
  return VideoFiles(name, boxes, images, origin=1,
                    frame_range=FRAME_RANGES.get(name.lower()))
