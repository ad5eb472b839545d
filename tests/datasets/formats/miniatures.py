"""Small copies of the official layouts, with the quirks of the real files.

Each function fills an empty folder. The images are a few pixels large.
"""

import gzip
import json
from pathlib import Path

import cv2
import numpy as np


def put_text(path: Path, text: str) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(text.encode())


def put_images(folder: Path, names) -> None:
  folder.mkdir(parents=True, exist_ok=True)
  for number, name in enumerate(names):
    image = np.full((6, 8, 3), 10 * number % 256, np.uint8)
    done, data = cv2.imencode(Path(name).suffix.lower(), image)
    assert done
    (folder / name).write_bytes(data.tobytes())


def eight_digits(*numbers):
  return [f'{n:08d}.jpg' for n in numbers]


def got10k(split: Path) -> None:
  """`split` is the folder of list.txt."""
  # CRLF and no newline at the end; the fourth is listed but was not unpacked.
  put_text(split / 'list.txt', 'GOT-10k_Train_000001\r\n'
           'GOT-10k_Train_000002\r\nGOT-10k_Train_000003\r\n'
           'GOT-10k_Train_000004\r\nGOT-10k_Train_000005')
  one = split / 'GOT-10k_Train_000001'
  put_images(one, eight_digits(1, 2, 3, 4))
  put_text(one / '._00000001.jpg', 'made by macOS')
  put_text(one / 'groundtruth.txt', '1.0,2.0,3.5,4.0\n1,2,3,4\n'
           '0.0,0.0,0.0,0.0\n5,6,7,8\n')
  put_text(one / 'absence.label', '0\n0\n1\n0\n')
  put_text(one / 'cover.label', '8\n0\n0\n3\n')
  put_text(one / 'cut_by_image.label', '0\n1\n0\n0\n')
  put_text(one / 'meta_info.ini', '[METAINFO]\nurl: x\n')
  two = split / 'GOT-10k_Train_000002'  # without labels; one box too many
  put_images(two, eight_digits(1, 2))
  put_text(two / 'groundtruth.txt', '1,1,2,2\r\nnan,nan,nan,nan\r\n3,3,2,2')
  put_images(split / 'GOT-10k_Train_000003', eight_digits(1))  # no boxes
  five = split / 'GOT-10k_Train_000005'  # a hole: 2 is missing
  put_images(five, eight_digits(1, 3))
  put_text(five / 'groundtruth.txt', '1,1,2,2\n2,2,2,2\n3,3,2,2\n')


def lasot(folder: Path, *, class_level: bool = True) -> None:
  def home(name):
    return folder / (name.split('-')[0] if class_level else '') / name

  def video(name, numbers, boxes):
    put_images(home(name) / 'img', eight_digits(*numbers))
    put_text(home(name) / 'groundtruth.txt', boxes)

  video('airplane-2', (1, 2, 3), '1,2,3,4\n5,6,0,8\n9,10,11,12')
  put_text(home('airplane-2') / 'full_occlusion.txt', '0,1,0\n')
  put_text(home('airplane-2') / 'out_of_view.txt', '0\r\n0\r\n1\r\n')
  put_text(home('airplane-2') / 'nlp.txt', 'white airplane landing')
  video('airplane-1', (1,), '1,2,3,4\n')  # of the test split
  video('airplane-10', (1, 2), '1 2 3 4\n5\t6\t7\t8\n')
  video('zebra-16', (1,), '1,2,3,4\n')  # of the test split
  video('zebra-20', (1,), '1,2,3\n')  # damaged
  video('zebra-3', (1, 2), '1,2,3,4\n1,2,3,4\n')
  put_text(home('zebra-3') / 'out_of_view.txt', 'no numbers')
  put_images(home('zebra-4') / 'img', eight_digits(1))  # no boxes


def trackingnet(folder: Path) -> None:
  for part, video, images, boxes in (
      ('TRAIN_0', 'a_0', range(11), '1.5,2,3,4\n' * 11),
      ('TRAIN_0', 'b_0', (0, 1), '1,2,3,4\n'),
      ('TRAIN_10', 'a_0', (0, 1), '1,2,3,4\n5,6,7,8'),
      ('TRAIN_2', 'c_0', (), '1,2,3,4\n'),  # boxes only
      ('TRAIN_2', 'd_0', (0, 2, 3), '0,0,1,1\n1,1,1,1\n2,2,1,1\n'),
      ('TEST', 'e_0', (0,), '1,2,3,4')):
    if images:
      put_images(folder / part / 'frames' / video, [f'{n}.jpg' for n in images])
    put_text(folder / part / 'anno' / f'{video}.txt', boxes)
  put_images(folder / 'TRAIN_2' / 'frames' / 'f_0', ['0.jpg'])  # images only
  put_text(folder / 'TRAIN_0' / 'anno' / '._a_0.txt', 'made by macOS')


YOUTUBE_BB = '\r\n'.join((
    # Two targets of one video, their rows mixed.
    'AB-c_1,1000,0,person,0,present,0.5,0.75,0.25,0.5',
    'AB-c_1,1000,2,boat,1,present,0,1,0,1',
    'AB-c_1,2000,0,person,0,absent,-1,-1,-1,-1',
    'AB-c_1,2000,2,boat,1,present,0.25,0.5,0,1',
    'AB-c_1,3000,0,person,0,present,0.1,0.2,0.3,0.3',
    'zz,5000,7,dog,0,present,0,0.5,0,0.5',
    'zz,damaged',
    'zz,4000,7,dog,0,present,0.5,1,0.5,1',
    'nowhere,4000,7,dog,0,present,0.5,1,0.5,1',
    'voc,4000,7,dog,2,present,0.5,1,0.5,1',
    'voc,6000,7,dog,3,present,0.5,1,0.5,1',
    'flat,4000,7,dog,2,present,0.5,1,0.5,1'))


def youtube_bb(folder: Path, *, name='yt_bb_detection_train.csv') -> None:
  data = YOUTUBE_BB.encode()
  folder.mkdir(parents=True, exist_ok=True)
  (folder / name).write_bytes(
      gzip.compress(data) if name.endswith('.gz') else data)
  put_images(folder / 'frames' / 'AB-c_1', ['1000.jpg', '2000.jpg'])
  put_images(folder / 'train' / '7', ['zz_4000_7_0.jpg', 'zz_5000_7_0.jpg'])
  put_images(folder / 'train', ['flat_4000_7_2.jpg'])
  for devkit, image in (('youtubebbdevkit2017', 'voc+7+2+4000.jpg'),
                        ('youtubebbdevkit', 'voc+7+3+6000.jpg')):
    put_images(folder / devkit / 'youtubebb2017' / 'JPEGImages', [image])


COCO = {
    'images': [{'id': 9, 'file_name': '000000000009.jpg'},
               {'id': 25, 'file_name': '000000000025.jpg'}],
    'annotations': [
        {'id': 1, 'image_id': 9, 'bbox': [1.5, 2, 3, 4], 'iscrowd': 0,
         'segmentation': [[1, 2, 3, 4, 5, 6]], 'category_id': 1},
        {'id': 2, 'image_id': 25, 'bbox': [0, 0, 8, 6], 'iscrowd': 1,
         'segmentation': {'counts': [1, 2], 'size': [6, 8]}},
        {'id': 3, 'image_id': 25, 'bbox': [1, 1, 0, 2]},
        {'id': 4, 'image_id': 26, 'bbox': [1, 1, 1, 2]},
        {'id': 5, 'image_id': 9, 'bbox': [1, 1, 1]},
        {'id': 6, 'image_id': 9},
        {'image_id': 9, 'bbox': [1, 1, None, 2]}]}


def coco(folder: Path, *, json_at='annotations/instances_train2017.json',
         images_at='train2017') -> None:
  put_text(folder / json_at, json.dumps(COCO))
  put_images(folder / images_at, [i['file_name'] for i in COCO['images']])


def xml(*targets) -> str:
  """An annotation; targets are (trackid or None, corners by name)."""
  objects = ''.join(
      '<object>' + ('' if track is None else f'<trackid>{track}</trackid>')
      + '<name>n02691156</name><bndbox>'
      + ''.join(f'<{k}>{v}</{k}>' for k, v in corners.items())
      + '</bndbox><occluded>1</occluded><generated>0</generated></object>'
      for track, corners in targets)
  return ('<annotation>\n<folder>x</folder><size><width>8</width>'
          f'<height>6</height></size>{objects}</annotation>\n')


def corners(x1, y1, x2, y2):
  """In the order of the real files."""
  return {'xmax': x2, 'xmin': x1, 'ymax': y2, 'ymin': y1}


def imagenet_vid(folder: Path) -> None:
  part = 'VID/train/ILSVRC2015_VID_train_0000'

  def video(name, images, xmls):
    put_images(folder / 'Data' / part / name, images)
    for stem, text in xmls.items():
      put_text(folder / 'Annotations' / part / name / f'{stem}.xml', text)

  video('v_000', ['000000.JPEG', '000001.JPEG', '000002.JPEG', '000003.JPEG'], {
      '000000': xml((1, corners(0, 0, 4, 4)), (0, corners(1, 2, 5, 5))),
      '000001': xml(),
      '000002': xml((0, corners(2, 2, 2, 5)), (None, corners(0, 0, 1, 1))),
      '000003': '<annotation><object>',
      '000004': xml((0, {'xmin': 1, 'ymin': 1, 'xmax': 3}))})  # no image
  put_text(folder / 'Annotations' / part / 'v_000' / '._000000.xml', 'macOS')
  video('v_001', ['000000.JPEG', '000001.JPEG'],
        {'000000': xml((0, corners(0, 0, 3, 3)))})
  video('v_002', ['000000.JPEG'], {})  # no annotation


def imagenet_det(folder: Path) -> None:
  for name, targets in (
      ('ILSVRC2013_train/n01/n01_1', [corners(1, 1, 3, 4),
                                      corners(0, 0, 8, 6)]),
      ('ILSVRC2013_train/n02/n02_7', [corners('x', 0, 1, 1)]),
      ('ILSVRC2014_train_0000/ILSVRC2014_train_00000001',
       [corners(2, 2, 7, 3)]),
      ('ILSVRC2014_train_0000/ILSVRC2014_train_00000002', [])):
    put_text(folder / f'Annotations/DET/train/{name}.xml',
             xml(*((None, c) for c in targets)))
    path = folder / f'Data/DET/train/{name}.JPEG'
    put_images(path.parent, [path.name])
  put_images(folder / 'Data/DET/train/ILSVRC2013_train_extra0', ['x.JPEG'])
  put_images(folder / 'Data/DET/train/ILSVRC2013_train/n02', ['n02_8.JPEG'])


def own(folder: Path) -> None:
  put_images(folder / 'a' / 'img', ['2.png', '10.png', '1.png'])
  put_text(folder / 'a' / 'groundtruth_rect.txt',
           '1,2,3,4\r\n5\t6\t7\t8\r\nNaN NaN NaN NaN')
  put_text(folder / 'a' / 'groundtruth.txt', '0,0,8,0,8,6,0,6\n')  # polygons
  put_text(folder / 'a' / 'absence.label', '0\n1\n0\n')
  put_images(folder / 'b', ['x.JPEG', 'y.bmp', '._x.JPEG'])
  put_text(folder / 'b' / 'gt.txt', '1;2;3;4\n')
  (folder / 'b' / 'img').mkdir()  # empty
  put_images(folder / 'c' / 'color', ['1.jpg', '2.jpg', '3.jpg'])
  put_text(folder / 'c' / 'groundtruth.txt',
           '\ufeff1,2,3,4\n1,2,3,4\n1,2,3,4\n1,2,3,4\n\n')
  put_text(folder / 'c' / 'absence.label', '0\n1\n0\n0\n')
  put_images(folder / 'd' / 'frames', ['1.jpg'])  # no boxes
  put_text(folder / 'e' / 'gt.txt', '1,2,3,4\n')  # no images
  put_images(folder / 'f', ['1.jpg'])
  put_text(folder / 'f' / 'gt.txt', '')  # empty
  put_images(folder / 'g', ['1.jpg'])
  (folder / 'g' / 'gt.txt').write_bytes(b'\xff\xfe\x00')
  put_text(folder / '.hidden' / 'gt.txt', '1,2,3,4\n')
  put_text(folder / 'readme.txt', 'not a sequence')
