"""Every reader of files, in one list: a new reader gets its line here."""

from pathlib import Path
from typing import Any

from tests.hostile import readers, stored
from tests.hostile.content import Files
from tests.hostile.oracle import Target
from tests.hostile.readers import jpeg, png

_BOXES = '10,20,30,40\n11,21,31,41\n12,22,32,42\n'
_FLAGS = '0\n0\n1\n'


def _images(folder: str, form: str, start: int = 1) -> Files:
  return {f'{folder}/{form % k}': jpeg() for k in range(start, start + 3)}


def _coco() -> Files:
  return {'annotations/instances_train2017.json': {
      'images': [{'id': 1, 'file_name': '1.jpg', 'width': 16, 'height': 16},
                 {'id': 2, 'file_name': '{name}.jpg'}],
      'annotations': [
          {'id': 5, 'image_id': 1, 'bbox': [1.0, 2.0, 3.5, 4], 'iscrowd': 0,
           'segmentation': [[1, 2, 3, 4]], 'category_id': 1},
          {'id': 6, 'image_id': 2, 'bbox': [1, 2, 3, 4], 'iscrowd': 0}]},
          'train2017/1.jpg': jpeg()}


def _crop511() -> Files:
  return {'train.json': {'{name}': {'00': {
      '000000': [1, 2, 30, 40], '000001': [1, 2, 30.5, 40]}},
      'v': {'01': {'000000': [20, 30]}}},
          'crop511/v/000000.01.x.jpg': jpeg(),
          'crop511/seq-1/000000.00.x.jpg': jpeg()}


def _got10k(split: str) -> Files:
  home = f'{split}/{{name}}'
  return {f'{split}/list.txt': '{name}\n', f'{home}/groundtruth.txt': _BOXES,
          f'{home}/absence.label': _FLAGS, f'{home}/cover.label': '8\n8\n0\n',
          f'{home}/meta_info.ini': '[METAINFO]\nresolution: (64, 48)\n',
          **_images(home, '%08d.jpg')}


def _lasot() -> Files:
  home = 'airplane/airplane-1'
  return {f'{home}/groundtruth.txt': _BOXES, 'testing_set.txt': 'airplane-1\n',
          f'{home}/full_occlusion.txt': '0,0,1', f'{home}/out_of_view.txt':
          '0,0,0', **_images(f'{home}/img', '%08d.jpg'),
          'airplane/airplane-2/groundtruth.txt': _BOXES,
          **_images('airplane/airplane-2/img', '%08d.jpg')}


def _trackingnet(part: str) -> Files:
  return {f'{part}/anno/{{name}}.txt': _BOXES,
          **_images(f'{part}/frames/{{name}}', '%d.jpg', 0)}


def _youtube_bb() -> Files:
  rows = ''.join(f'{{name}},{ms},0,person,0,{there},0.1,0.5,0.2,0.6\n'
                 for ms, there in ((0, 'present'), (1000, 'absent'),
                                   (2000, 'present')))
  return {'yt_bb_detection_train.csv': rows,
          **{f'frames/{{name}}/{ms}.jpg': jpeg() for ms in (0, 2000)}}


def _ilsvrc(kind: str) -> Files:
  xml = ('<annotation><folder>x</folder><size><width>16</width></size><object>'
         '<trackid>0</trackid><name>n1</name><bndbox><xmax>12</xmax><xmin>1'
         '</xmin><ymax>14</ymax><ymin>2</ymin></bndbox><occluded>0</occluded>'
         '</object></annotation>')
  return {f'Annotations/{kind}/train/p/{{name}}/000000.xml':
          xml.replace('><', '>\n<'),
          f'Annotations/{kind}/train/p/{{name}}/000001.xml': xml,
          **_images(f'Data/{kind}/train/p/{{name}}', '%06d.JPEG', 0)}


def _otb() -> Files:
  return {'{name}/groundtruth_rect.txt': _BOXES,
          **_images('{name}/img', '%04d.jpg'),
          'Two/groundtruth_rect.1.txt': _BOXES.replace(',', '\t'),
          'Two/groundtruth_rect.2.txt': _BOXES,
          **_images('Two/img', '%04d.jpg')}


def _uav123() -> Files:
  return {'anno/UAV123/{name}.txt': _BOXES + 'NaN,NaN,NaN,NaN\n',
          **_images('data_seq/UAV123/{name}', '%06d.jpg'),
          'data_seq/UAV123/{name}/000004.jpg': jpeg()}


def _nfs() -> Files:
  rows = ''.join(f'0 {k} 20 30 40 {k} 0 0 0 "x"\n' for k in (1, 2, 3))
  return {'seq-1/30/seq-1.txt': rows, **_images('seq-1/30/seq-1', '%05d.jpg')}


def _pysot() -> Files:
  boxes = [[10, 20, 30, 40], [11.5, 21, 31, 41]]
  return {'all.json': {
      '{name}': {'img_names': ['{name}/img/1.jpg', '{name}/img/2.jpg'],
                 'gt_rect': boxes, 'attr': ['IV', 'OCC'], 'absent': [1, 1],
                 'init_rect': [10, 20, 30, 40], 'video_dir': '{name}'},
      'jogging_2': {'name': '{name}', 'image_files': ['1.jpg', '2.jpg'],
                    'gt_rect': boxes}},
          '{name}/img/1.jpg': jpeg(), '{name}/img/2.jpg': jpeg()}


def _vot() -> Files:
  return {'list.txt': '{name}\n',
          '{name}/groundtruth.txt': '10,20,30,40\n1,2,9,2,9,8,1,8\n1,2,3,4\n',
          '{name}/occlusion.tag': _FLAGS, '{name}/practical': '0\n',
          '{name}/sequence': 'channels.color=color/%08d.jpg\nwidth=64\n'
          'height=48\nfps=30\n', **_images('{name}/color', '%08d.jpg')}


def _vot_json() -> Files:
  return {'VOT2018.json': {'{name}': {
      'gt_rect': [[10, 20, 30, 40], [1, 2, 9, 2, 9, 8, 1, 8]],
      'img_names': ['{name}/1.jpg', '{name}/2.jpg'], 'occlusion': [0, 1],
      'camera_motion': [1, 1], 'width': 64, 'height': 48}},
          '{name}/1.jpg': jpeg(), '{name}/2.jpg': jpeg()}


def _regions() -> Files:
  import struct
  return {'a.txt': '1\n10,20,30,40\n2\n0\n0\n1\n1,2,9,2,9,8,1,8\n',
          'a.bin': struct.pack('<hI', 1, 3) + struct.pack('<xI', 1) + b'\1' +
          struct.pack('<4f', 1, 2, 3, 4) + b'\2\4\0' + struct.pack(
              '<8f', *range(8))}


def _results(benchmark: Files, *more: str) -> Files:
  data = {f'data/{path}': content for path, content in benchmark.items()
          if not path.endswith(('.jpg', '.png'))}
  return {**data, **dict.fromkeys([f'results/{n}' for n in more], _BOXES)}


def _scored_otb() -> Files:
  return {**_results(_otb(), '{name}.txt', 'Two-1.txt'), 'results/Two-2.json': [
      {'resType': 'rect', 'res': [[1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]]}]}


def _scored_got10k() -> Files:
  return {**_results(_got10k('val'), '{name}/{name}_001.txt'),
          'results/{name}/{name}_time.txt': '0.1\n0.2\n0.2\n'}


def _scored_vot() -> Files:
  runs = {f'results/baseline/{{name}}/{{name}}_{k:03d}.txt':
          '1\n1,2,9,2,9,8,1,8\n1,2,3,4\n' for k in (1, 2)}
  return {**_results(_vot()), **runs}


def _attributes() -> Files:
  return {**_results(_otb()), 'data/attr_list.txt':
          '{name}\tIV, OCC, DEF\nTwo-1\tIV\nTwo-2\tSV\n'}


def _scores() -> Files:
  one: dict[str, Any] = {
      'benchmark': 'otb', 'protocol': 'otb', 'rule': 'r', 'annotations': 'a',
      'results': 'r', 'shift': 0, 'num_sequences': 2, 'num_frames': 6,
      'num_annotated_frames': 6, 'success_auc': 0.5, 'precision_20': 0.75,
      'norm_precision': 0.5, 'norm_precision_auc': 0.5, 'notes': ['{name}'],
      'sequences': {'{name}': {'frames': 3, 'success_auc': 0.5},
                    'b': {'frames': 3, 'success_auc': 0.5}},
      'attributes': {'IV': {'num_sequences': 1, 'success_auc': 0.5}},
      'success_curve': [1.0, 0.5, 0.0], 'precision_curve': [0.5] * 51,
      'norm_precision_curve': [None] * 51, 'zero_based': ['b'],
      'hardware': 'cpu', 'frames_per_second': 9.5}
  vot = {'benchmark': 'vot2018', 'protocol': 'vot2018_pysot', 'rule': 'r',
         'num_sequences': 1, 'num_frames': 9, 'eao': 0.3, 'accuracy': 0.5,
         'failures': 2, 'sequences': {'{name}': {'frames': 9, 'failures': 2,
                                                 'accuracy': 0.5}},
         'eao_curve': [1, 0.5], 'notes': [], 'attributes': {}}
  return {'a.json': one, 'b.json': vot | {
      'benchmark': 'otb', 'protocol': 'otb', 'success_auc': 1.0}}


def _scores_vot() -> Files:
  return {'a.json': _scores()['b.json'] | {
      'benchmark': 'vot2018', 'protocol': 'vot2018_pysot'}}


def _images_alone() -> Files:
  import cv2
  import numpy as np
  gray = np.arange(256, dtype=np.uint16).reshape(16, 16) * 64
  image = np.zeros((16, 16, 3), np.uint8)
  encode = lambda suffix, pixels: cv2.imencode(suffix, pixels)[1].tobytes()
  return {'a.jpg': jpeg(), 'b.png': png(), 'c.png': png(4),
          'd.png': encode('.png', gray), 'e.bmp': encode('.bmp', image),
          'f.webp': encode('.webp', image)}


def _cutouts() -> Files:
  return {'a.png': png(4), 'b.jpg': jpeg(128)}


def _video() -> Files:
  import tempfile

  import cv2
  import numpy as np
  with tempfile.TemporaryDirectory() as home:
    path = str(Path(home) / 'v.avi')
    writer = cv2.VideoWriter(
        path, cv2.VideoWriter.fourcc(*'MJPG'), 25, (32, 32))
    for k in range(8):
      writer.write(np.full((32, 32, 3), 30 * k, np.uint8))
    writer.release()
    return {'v.avi': Path(path).read_bytes()}


def _boxes() -> Files:
  return {'boxes.txt': '10,20,30,40\n0.1,0.2,0.3,0.4\n1,2,3\n-5,-5,20,20\n'}


def _mp4() -> Files:
  """A trimmed one, whose tables are read."""
  import tempfile

  from tests.tracking.numbered_video import write_video
  with tempfile.TemporaryDirectory() as home:
    return {'v.mp4': write_video(Path(home) / 'v.mp4', 'mp4v')}


def _mot() -> Files:
  rows = ''.join(f'{frame},{target},{10 * target},20,30,40,1,1,0.5\n'
                 for frame in (1, 2, 3) for target in (1, 2))
  return {'{name}/gt/gt.txt': rows, '{name}/seqinfo.ini':
          '[Sequence]\nimDir=img1\nimWidth=16\nimHeight=16\nimExt=.jpg\n',
          **_images('{name}/img1', '%06d.jpg')}


def _box_files() -> Files:
  rows = [{'frame': k, 'id': 1, 'left': 1.5, 'top': 2, 'width': 3, 'height': 4}
          for k in (1, 2)]
  head, lines = ','.join(rows[0]), [','.join(map(str, row.values()))
                                    for row in rows]
  return {'a.csv': '\n'.join([head, *lines]), 'a.json': rows,
          'a.txt': '1,1,10,20,30,40,1,-1,-1,-1\n2,1,11,21,30,40,1,-1,-1,-1\n',
          'a.otb': _BOXES}


_LABELS = Path(__file__).parents[1] / 'datasets' / 'labels'


def _labeled() -> Files:
  import json
  return {'{name}/annotations.xml': (_LABELS / 'cvat_video.xml').read_text(),
          'b/annotations.xml': (_LABELS / 'cvat_images.xml').read_text(),
          'a.json': json.loads((_LABELS / 'label_studio.json').read_text()),
          **_images('{name}/images', 'frame_%06d.png', 0),
          **_images('cars', '%06d.jpg'), 'b/images/a.png': png()}


def _label_files(*names: str) -> Any:
  def files() -> Files:
    import json
    texts = [(_LABELS / name).read_text() for name in names]
    return {f'a.{k}': json.loads(text) if text[0] in '[{' else text
            for k, text in enumerate(texts)}
  return files


def _coco_video() -> Files:
  import json
  return {'annotations/instances_train2017.json': json.loads(
      (_LABELS / 'coco_vid.json').read_text()),
          **_images('train2017/cars', '%06d.jpg')}


TARGETS: tuple[Target, ...] = (
    *(Target(f'train {layout}', valid, readers.trained_on(layout))
      for layout, valid in {
          'coco': _coco, 'crop511': _crop511,
          'got10k': lambda: _got10k('train'), 'lasot': _lasot,
          'trackingnet': lambda: _trackingnet('TRAIN_0'),
          'youtube_bb': _youtube_bb, 'imagenet_vid': lambda: _ilsvrc('VID'),
          'imagenet_det': lambda: _ilsvrc('DET'),
          'labeled': _labeled, 'folder': stored.own_data}.items()),
    Target('train MOT', _mot, readers.trained_on('folder')),
    Target('train coco-video', _coco_video, readers.trained_on('coco')),
    Target('labels', _label_files(
        'cvat_video.xml', 'cvat_images.xml', 'label_studio.json',
        'coco_vid.json', 'youtube_vis.json'), readers.labels),
    Target('labels to write', lambda: {
        'a.xml': (_LABELS / 'cvat_video.xml').read_text()},
           readers.label_writers),
    *(Target(f'evaluate {benchmark}', valid, readers.evaluated_on(benchmark))
      for benchmark, valid in {
          'otb': _otb, 'got10k': lambda: _got10k('val'), 'lasot': _lasot,
          'trackingnet': lambda: _trackingnet('TEST'), 'uav123': _uav123,
          'nfs': _nfs, 'folder': stored.own_data}.items()),
    Target('pysot JSON', _pysot, readers.evaluated_on('otb', 'all.json')),
    Target('VOT folder', _vot, readers.vot_sequences()),
    Target('VOT JSON', _vot_json, readers.vot_sequences('VOT2018.json')),
    Target('regions', _regions, readers.region_files),
    Target('score otb', _scored_otb, readers.scored('otb')),
    Target('score got10k', _scored_got10k, readers.scored('got10k')),
    Target('score vot', _scored_vot, readers.scored('vot2018')),
    Target('attributes', _attributes, readers.attribute_list),
    Target('scores', _scores, readers.tables_of_scores),
    Target('scores of VOT', _scores_vot, readers.tables_of_scores),
    Target('images', _images_alone, readers.images),
    Target('frames', lambda: _images('.', '%d.jpg'), readers.frames()),
    Target('video', _video, readers.frames('v.avi'), slow=True),
    Target('mp4', _mp4, readers.frames('v.mp4'), slow=True),
    Target('cut-outs', _cutouts, readers.cutouts),
    Target('boxes', _boxes, readers.box_strings),
    Target('box files', _box_files, readers.labels),
    Target('packed', stored.packed_files, readers.packed),
    Target('index cache', stored.cached_files, stored.cached_index),
    Target('user cache', stored.cache_files, stored.user_entry),
    Target('weights header', stored.weights_files, stored.metadata),
    Target('weights', stored.weights_files, stored.weights_of_file, slow=True),
    Target('stored configuration', stored.config_files, stored.configs),
    Target('plain configuration', stored.config_files, stored.plain_config),
    Target('overrides', stored.override_files, stored.overrides),
    Target('configuration file', stored.python_files, stored.python_config),
    Target('checkpoint', stored.checkpoint_files, stored.checkpoint, slow=True),
    Target('checksums', stored.checksum_files, stored.checksum_list,
           allowed=(OSError,)),
    Target('state dicts', stored.state_files, stored.states),
    Target('PyTorch', stored.torch_files, stored.states),
    Target('evaluation settings', stored.settings_files, stored.settings),
    Target('metrics log', stored.run_files, stored.metrics_log,
           allowed=(OSError,)),
    Target('run report', stored.run_files, stored.run_report, slow=True),
    Target('ablation', stored.result_files, stored.ablation_result),
    Target('trial log', stored.trial_files, stored.trials, slow=True),
    Target('trackers.ini', stored.ini_files, stored.trackers_ini),
)
