"""Labels of CVAT, Label Studio and COCO-video: read and written."""

import json

import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.interchange import (
  coco_video,
  cvat,
  label_studio,
  safe_xml,
)
from siamkpn_jax.tracking.given_boxes import read_boxes
from tests.datasets.labeled import CARS, LABELS, XML

STUDIO = json.loads((LABELS / 'label_studio.json').read_text())


def boxes_of(video):
  return {target.id: {frame: pytest.approx(box) for frame, box in
                      target.boxes_xywh.items()} for target in video.targets}


def given(path, size=None, rate=None):
  found = {}
  for box in read_boxes(path, size=size, rate=rate):
    found.setdefault(box.id, {})[box.frame] = pytest.approx(box.box_xywh)
    assert not box.relative
  return found


def test_cvat_video():
  """Frames from 0; outside; rotated ones enclosed; gaps interpolated."""
  video = cvat.parse(XML.encode())
  assert boxes_of(video) == CARS
  assert (video.name, video.size, video.length) == ('cars.mp4', (64, 48), 5)
  assert [target.label for target in video.targets] == ['car', 'car']
  assert not video.bad and given(LABELS / 'cvat_video.xml') == CARS


def test_datumaro():
  """As Datumaro 1.13 writes CVAT: gaps, turned boxes, stills out of sight."""
  assert given(LABELS / 'datumaro_video.xml') == {
      0: {k: (9 + k, 20, 30.5, 10) for k in range(1, 6)},
      1: {k: (6 + k, 3, 4, 10) for k in (2, 3, 4)}, 2: {3: (37, 25, 6, 10)}}
  images = given(LABELS / 'datumaro_images.xml')
  assert sorted(frame for (frame,) in images.values()) == [
      1, 2, 2, 3, 3, 3, 4, 5]


@pytest.mark.parametrize('labeled', ['1', '2'])
def test_one_labeled_task_of_a_project_of_two(tmp_path, labeled):
  """The frames of its second one are counted on from the first."""
  text = XML.replace('<track id', f'<track task_id="{labeled}" id')
  start, end = text.index('<task>'), text.index('</task>') + len('</task>')
  task = text[start:end].replace('<id>7<', '<id>{}<')
  (tmp_path / 'a.xml').write_text(
      text[:start] + '<project><tasks>' + task.format(1) + task.format(2) +
      '</tasks></project>' + text[end:])
  with pytest.raises(UserError, match='of several tasks'):
    read_boxes(tmp_path / 'a.xml')


def test_cvat_of_a_job():
  """The size of its frames stands beside it."""
  size = XML[XML.index('<original_size>'):XML.index('<source>')]
  text = XML.replace(size, '').replace('task>', 'job>')
  text = text.replace('</job>', '</job>' + size)
  assert cvat.parse(text.encode()).size == (64, 48)


def test_what_is_written_for_cvat_says_of_which_video(tmp_path):
  """Other programs look for labels and size there; any name can be written."""
  video = cvat.parse(XML.encode())
  video.name = 'cars & <more>\x07\udcff.mp4'
  (tmp_path / 'a.xml').write_text(cvat.write(video), encoding='utf-8')
  text = (tmp_path / 'a.xml').read_text()
  assert text.count('<label><name>car</name>') == 1
  assert '<stop_frame>4</stop_frame>' in text
  found = cvat.parse(text.encode())
  assert (found.name, found.size, found.length, found.first, found.step) == (
      'cars & <more>??.mp4', (64, 48), 5, 1, 1)


def test_cvat_images():
  """A track_id joins boxes; one without it stands alone."""
  assert given(LABELS / 'cvat_images.xml') == {
      3: {1: (1, 2, 3, 4), 2: (2, 2, 3, 4)}, 4: {2: (9, 9, 3, 2)}}


def test_label_studio():
  """Percent; not enabled ends after its key, an enabled last one goes on."""
  want = {1: {1: (6.4, 9.6, 32, 12), 2: (9.6, 9.6, 32, 12),
              3: (12.8, 9.6, 32, 12), 5: (19.2, 9.6, 32, 12),
              6: (19.2, 9.6, 32, 12)}}
  assert given(LABELS / 'label_studio.json', size=(64, 48)) == want
  with pytest.raises(UserError, match='percent of a frame whose size is not'):
    read_boxes(LABELS / 'label_studio.json')


@pytest.mark.parametrize('name', ['label_studio', 'label_studio_min'])
def test_what_label_studio_exports(name):
  """Of version 1.23; in these frames its page shows the boxes, and there."""
  places = [{3: 32, 4: 48, 5: 64, 6: 80, **dict.fromkeys(range(7, 21), 96)},
            {3: 32, 4: 48, 5: 64, 6: 80, 7: 96,
             11: 128, 12: 144, 13: 160, 14: 176, 15: 192},
            {3: 32, 7: 96, 8: 96, 9: 96}]
  path = LABELS / f'{name}_1_23.json'
  for rate in (None, 24, 25, 25.1):  # with 24 they are the same frames
    assert given(path, (320, 240), rate) == {
        id: {frame: (x, 48, 96, 72) for frame, x in of_target.items()}
        for id, of_target in enumerate(places, start=1)}
  for rate in (20, 30):  # other frames
    with pytest.raises(UserError, match=f'labels of 25 .* video has {rate}'):
      read_boxes(path, 20, (320, 240), rate)


@pytest.mark.parametrize('name', ['label_studio', 'label_studio_min'])
def test_a_region_without_keys_has_no_box(tmp_path, name):
  """The others of its file are read."""
  source = LABELS / f'{name}_1_23.json'
  content = json.loads(source.read_text())
  values = content[0]['box'] if name.endswith('min') else [
      region['value'] for region in content[0]['annotations'][0]['result']]
  values[1]['sequence'] = []
  path = tmp_path / 'a.json'
  path.write_text(json.dumps(content))
  assert [(box.frame, box.box_xywh) for box in read_boxes(
      path, size=(320, 240))] == [
          (box.frame, box.box_xywh) for box in read_boxes(
              source, size=(320, 240)) if box.id != 2]
  for value in values:
    value['sequence'] = []
  path.write_text(json.dumps(content))
  with pytest.raises(UserError, match='no box in it'):
    read_boxes(path, size=(320, 240))


def test_entries_of_several_people(tmp_path):
  (entry,) = json.loads((LABELS / 'label_studio_min_1_23.json').read_text())
  path = tmp_path / 'a.json'
  path.write_text(json.dumps([entry, entry | {'annotation_id': 9}]))
  with pytest.raises(UserError, match='has 2 annotations'):
    read_boxes(path, size=(320, 240))
  path.write_text(json.dumps([entry, entry | {'id': 6}]))
  with pytest.raises(UserError, match='the labels of 2 videos'):
    read_boxes(path, size=(320, 240))


def test_label_studio_is_known_by_its_beginning():
  """The kind stands behind all key frames, and not at all in JSON-MIN."""
  for name in ('label_studio', 'label_studio_min'):
    text = (LABELS / f'{name}_1_23.json').read_bytes()
    assert label_studio.is_label_studio(text[:400])
  assert not label_studio.is_label_studio(b'[{"frame": 1, "sequence": 2}]')


@pytest.mark.parametrize(('name', 'want'), [
    ('coco_vid', {4: {1: (1, 2, 3, 4), 3: (3.5, 2, 3, 4)},
                  9: {2: (5, 5, 6, 7)}}),
    ('youtube_vis', {8: {1: (1, 2, 3, 4), 3: (3, 2, 3, 4)}})])
def test_coco_video(name, want):
  assert given(LABELS / f'{name}.json') == want


def test_crowds_as_text(tmp_path):
  """As numbers: "0" is a target, "1" is none, and others cannot be read."""
  content = json.loads((LABELS / 'coco_vid.json').read_text())
  for entry in content['annotations']:
    entry['iscrowd'] = str(entry['iscrowd'])
  path = tmp_path / 'a.json'
  path.write_text(json.dumps(content))
  assert read_boxes(path) == read_boxes(LABELS / 'coco_vid.json')
  for other in ('maybe', '9' * 400, 0.5):
    content['annotations'][0]['iscrowd'] = other
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match='annotation 0'):
      given(path)


def test_frames_counted_from_1():
  content = json.loads((LABELS / 'coco_vid.json').read_text())
  for image in content['images']:
    image['frame_index'] = image.pop('frame_id') + 1
  (video, _) = coco_video.parse(content)
  assert sorted(video.files) == [1, 2, 3] and not video.unclear
  for image in content['images']:
    image['frame_index'] += 1
  assert 'counted from 0 or 1' in coco_video.parse(content)[0].unclear


@pytest.mark.parametrize('first', [1, 2])
def test_frames_are_counted_alike_in_all_videos_of_a_file(first):
  """From 0, as another one has it, though the first image is not there."""
  content = json.loads((LABELS / 'coco_vid.json').read_text())
  for image in content['images']:
    image['frame_id'] += first
  content['videos'].append({'id': 2, 'name': 'others'})
  content['images'].append({'id': 99, 'video_id': 2, 'frame_id': 0,
                            'file_name': 'others/1.jpg'})
  (video, _) = coco_video.parse(content)
  assert [*video.files] == [first + 1, first + 2, first + 3]
  assert not video.unclear
  assert [*video.targets[0].boxes_xywh] == [first + 1, first + 3]


@pytest.mark.parametrize(('name', 'write'), [
    ('a.xml', cvat.write),
    ('a.json', lambda video: json.dumps(label_studio.write(video))),
    ('b.json', lambda video: json.dumps(coco_video.write(video)))])
def test_there_and_back(tmp_path, name, write):
  """What is written is read as the same boxes, in the same frames."""
  (tmp_path / name).write_text(write(cvat.parse(XML.encode())))
  if name == 'a.json':  # what Label Studio makes of an accepted prediction
    (task,) = json.loads((tmp_path / name).read_text())
    task['annotations'] = task['predictions']
    (tmp_path / name).write_text(json.dumps([task]))
    assert list(given(tmp_path / name, (64, 48)).values()) == list(
        CARS.values())
  else:
    assert given(tmp_path / name) == CARS


@pytest.mark.parametrize(('old', 'new', 'words'), [
    ('xtl="10.00"', 'xtl="nan"', r'track 0, frame 0'),
    ('frame="1" keyframe="0"', 'frame="0" keyframe="0"', 'track 0, frame 0'),
    ('frame="1" keyframe="0"', 'frame="-1" keyframe="0"', 'track 0, frame -1'),
    ('outside="1"', 'outside="maybe"', 'track 0, frame 3'),
    ('<track id="1"', '<track id="0"', 'its id is none of its own'),
    ('frame="4"', 'frame="999999999"', 'more than 1,000,000 frames'),
    ('<track id="1"', '<track task_id="2" id="1"', 'of several tasks'),
    ('</annotations>', '', 'not XML'),
    ('<annotations>', '<!DOCTYPE a [<!ENTITY b "c">]><annotations>', 'DTD'),
    ('track', 'tag', 'no box in it'), ('annotations', 'svg', 'no known kind')])
def test_xml_that_cannot_be_used(tmp_path, old, new, words):
  path = tmp_path / 'a.xml'
  path.write_text(XML.replace(old, new))
  with pytest.raises(UserError, match=words) as error:
    read_boxes(path)
  assert str(error.value).startswith(str(path)) and '\n' not in str(error.value)


def test_entities_are_not_expanded():
  bomb = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><a>&b;</a>'
  with pytest.raises(ValueError, match='DTD'):
    safe_xml.parse(bomb.encode())
  with pytest.raises(ValueError, match='DTD'):
    safe_xml.parse(bomb.encode('utf-16'))


def studio(change):
  content = json.loads(json.dumps(STUDIO))
  change(content[0], content[0]['annotations'][0]['result'][0]['value'])
  return content


@pytest.mark.parametrize(('change', 'words'), [
    (lambda task, value: value['sequence'][0].update(rotation=30), 'rotated'),
    (lambda task, value: value['sequence'][0].update(frame=0), 'key frame'),
    (lambda task, value: value['sequence'][1].update(frame=1), 'key frame'),
    (lambda task, value: value['sequence'][1].update(x=None), 'key frame'),
    (lambda task, value: value.pop('sequence'), 'region Xk3aFf'),
    (lambda task, value: value.update(framesCount=9_000_000), 'more than'),
    (lambda task, value: task['annotations'].append(task['annotations'][0]),
     'has 2 annotations')])
def test_label_studio_that_cannot_be_used(tmp_path, change, words):
  path = tmp_path / 'a.json'
  path.write_text(json.dumps(studio(change)))
  with pytest.raises(UserError, match=words):
    read_boxes(path, size=(64, 48))


def test_label_studio_of_another_frame_rate():
  """Its numbers count by a rate that people set, and mean other frames."""
  for frames in (4, 6, 8):  # its own count, from the duration, is rounded
    read_boxes(LABELS / 'label_studio.json', frames, (64, 48))
  with pytest.raises(UserError, match='of 6 frames, but the video has 9.*Rate'):
    read_boxes(LABELS / 'label_studio.json', 9, (64, 48))


def timed(path, rate, digits, *regions):
  """Writes labels with keys at such frames, and times to so many digits."""
  def change(task, value):
    del value['framesCount']
    key = value['sequence'][0]
    task['annotations'][0]['result'] = [
        {'id': f'r{k}', 'type': 'videorectangle', 'value': {
            'sequence': [key | {'frame': frame,
                                'time': round(frame / rate, digits)}
                         for frame in frames]}}
        for k, frames in enumerate(regions)]
  path.write_text(json.dumps(studio(change)))
  return path


@pytest.mark.parametrize(('rate', 'digits', 'regions'), [
    (30, 3, [(1, 2)]), (24, 2, [(1, 3)]), (29.97, 3, [(5, 6)]),
    (30, 9, [(7,)]), (60, 2, [(1, 2), (4, 5)]), (30, 3, [(900, 1), (1, 2)])])
def test_rounded_times_are_of_the_right_rate(tmp_path, rate, digits, regions):
  """Keys that stand near each other say little of it."""
  path = timed(tmp_path / 'a.json', rate, digits, *regions)
  assert read_boxes(path, size=(64, 48), rate=rate)


@pytest.mark.parametrize('regions', [
    [(1, 500)], [(1, 500), (1, 2)], [(1, 2), (499, 500)], [(500,), (1,)]])
def test_a_rate_shows_in_all_regions(tmp_path, regions):
  """In the keys that are furthest apart."""
  path = timed(tmp_path / 'a.json', 24, 3, *regions)
  assert read_boxes(path, size=(64, 48), rate=23.976)
  with pytest.raises(UserError, match=r'labels of 24\S* .* video has 25'):
    read_boxes(path, size=(64, 48), rate=25)


def test_labels_of_several_videos(tmp_path):
  (tmp_path / 'a.json').write_text(json.dumps(STUDIO * 2))
  with pytest.raises(UserError, match='the labels of 2 videos'):
    read_boxes(tmp_path / 'a.json', size=(64, 48))


def test_coco_video_has_the_ids_of_both_tools():
  """TAO's tools read one, MMTracking's CocoVID the other."""
  content = coco_video.write(cvat.parse(XML.encode()))
  assert {(a['track_id'], a['instance_id']) for a in content['annotations']
          } == {(0, 0), (1, 1)}
