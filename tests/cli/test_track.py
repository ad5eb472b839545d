"""`python -m siamkpn_jax.track` with good and with bad input.

Every command of this file runs once, here; what C libraries print counts as
well. The tracker is a stand-in.
"""

import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamkpn_jax import track
from siamkpn_jax.checkpoints import packaged
from siamkpn_jax.tracking import h264
from siamkpn_jax.tracking import load as tracking
from tests.cli.stand_in import BOX, StandIn, files, make_folder
from tests.commands import assert_one_line

# name: (what the message must say, the flags). {0} is the folder of the inputs,
# {1} a new, empty folder for each command. Flags that are not given are those
# of GOOD; None leaves a flag out.
GOOD = {'input': '{0}/video.avi', 'box': BOX, 'weights': 'any',
        'output': '{1}/out.mp4', 'boxes': '{1}/out.txt'}
BAD = {
    'three numbers': ('expected four numbers', {'box': '1,2,3'}),
    'words': ('expected four numbers', {'box': 'a,b,c,d'}),
    'underscore': ('expected four numbers', {'box': '1_0,2,30,40'}),
    'no box': ('expected four numbers', {'box': ''}),
    'nan': ('four finite numbers', {'box': '1,2,nan,4'}),
    'infinite': ('four finite numbers', {'box': '1,2,inf,4'}),
    'flat box': ('box 1,2,0,4: width and height must be positive',
                 {'box': '1,2,0,4'}),
    'negative side': ('box 1,2,3,-4: width', {'box': '1,2,3,-4'}),
    'box outside': ('box 400,10,50,50: lies outside the 64x48 frame',
                    {'box': '400,10,50,50'}),
    'fraction': ('not as fractions of the frame', {'box': '0.2,0.3,0.1,0.2'}),
    'all fractions': ('fractions of the frame', {'box': '0,0,1,1'}),
    'box of gigabytes': ('more than 2 times as large as the 64x48 frame',
                         {'box': '0,0,40000,40000'}),
    'beyond floats': ('box 1e+300,', {'box': '1e300,1e300,1e300,1e300'}),
    'next to nothing': ('fractions of', {'box': '1e-300,1,1e-300,1e-300'}),
    'huge box': ('more than 2 times as large', {'box': '1,2,1000000000,9'}),
    'box before': ('outside the 64x48', {'box': '-30,1,20,20'}),
    'missing file': ("missing.mp4': no such file or folder",
                     {'input': '{0}/missing.mp4'}),
    'no input': ('missing VIDEO: expected a video', {'input': ''}),
    'url': ('http://127.0.0.1:9/b.mp4: cannot be opened as a video stream',
            {'input': 'http://127.0.0.1:9/b.mp4'}),
    'other url': ("this is a URL; expected a video", {'input': 'data://a/b'}),
    'device': ('this is a device; ', {'input': '/dev/null'}),
    'camera': ('input 9: no such file, folder or camera',
               {'input': '/dev/video9'}),
    'no camera': ('no such file, folder or camera', {'input': '99'}),
    'empty file': ('cannot be opened as a video', {'input': '{0}/empty.mp4'}),
    'junk': ('cannot be opened as a video', {'input': '{0}/junk.avi'}),
    'cut mp4': ('cannot be opened as a video', {'input': '{0}/cut.mp4'}),
    'header only': ('no frame can be decoded', {'input': '{0}/header.avi'}),
    'one image': ('this is a single image', {'input': '{0}/good/1.png'}),
    'no images': ('no images in this folder', {'input': '{0}/none'}),
    'empty image': ('first/1.jpg: this image cannot be read',
                    {'input': '{0}/first'}),
    'cut jpg': ('cut_jpg/2.jpg: this image cannot be read',
                {'input': '{0}/cut_jpg'}),
    'cut png': ('cut_png/3.png: this image cannot be read',
                {'input': '{0}/cut_png'}),
    'damaged png': ('damaged_png/3.png: this image cannot be read',
                    {'input': '{0}/damaged_png'}),
    'other size': ('frame 3 is 32x16, earlier frames are 64x48',
                   {'input': '{0}/sizes'}),
    'no output': ('nothing to write', {'output': '', 'boxes': ''}),
    'no output alone': ('nothing to write', {'output': '', 'boxes': None}),
    'no boxes alone': ('nothing to write', {'output': None, 'boxes': ''}),
    'output folder': ('this is a folder', {'output': '{1}'}),
    'boxes folder': ('this is a folder', {'boxes': '{1}'}),
    'boxes ending': ('.csv, .json, .txt or .xml', {'boxes': '{1}/out.doc'}),
    'box and file': ('--box is given as well', {'boxes_from': '{0}/boxes.csv'}),
    'no file of boxes': ('missing.csv: cannot be read', {
        'box': None, 'boxes_from': '{0}/missing.csv'}),
    'late box': ('begins in frame 9, but', {
        'box': None, 'boxes_from': '{0}/late.csv'}),
    'early box': ('before --start-frame 4', {
        'box': None, 'boxes_from': '{0}/boxes.csv', 'start_frame': '4'}),
    'late start': ('no frame from number 9 on, of 8', {'start_frame': '9'}),
    'no window': ('missing --box: a window', {'box': None}),
    'no live view': ('--show: a window cannot be opened', {'show': 'true'}),
    'no pattern': ('no image fits this pattern', {'input': '{0}/good/*.jpg'}),
    'two folders': ('images of 2 folders', {'input': '{0}/[gt]*/1.png'}),
    'over a frame of a pattern': ('may be a frame of the input', {
        'input': '{0}/good/*.png', 'boxes': '{0}/good/1.png'}),
    'heatmaps of nothing': ('--heatmaps: nothing to inset them in', {
        'output': '', 'heatmaps': 'true'}),
    'format of nothing': ('--format mot: no boxes are written; add --boxes', {
        'boxes': None, 'format': 'mot'}),
    'ending': ('ends in .mp4 or .avi', {'output': '{1}/out.mkv'}),
    'no ending': ('ends in .mp4 or .avi', {'output': '{1}/out'}),
    'below a file': ('not a writable folder',
                     {'boxes': '{0}/empty.mp4/out.txt'}),
    'boxes device': ('not a regular file', {'boxes': '/dev/null'}),
    'same file': ('same file as --output',
                  {'output': '{1}/a.mp4', 'boxes': '{1}/./a.mp4'}),
    'over a frame': ('may be a frame of the input',
                     {'input': '{0}/good', 'boxes': '{0}/good/1.png'}),
    'over the input': ('same file as --input', {'output': '{0}/video.avi'}),
    'fps': ('frames per second between', {'fps': 'nan'}),
    'weights': ('weights broken: no checkpoint', {'weights': 'broken'}),
    'tracker': ('the tracker refuses', {'weights': 'refuses'}),
    'empty weights': ('weights: empty', {'weights': ''}),
    'no packaged weights': ('default weights missing', {'weights': None}),
}
GOOD_RUNS: dict[str, dict[str, str | None]] = {
    'video': {},
    'packaged': {'weights': 'large'},
    'folder': {'input': '{0}/good', 'fps': '7'},
    'boxes only': {'output': ''},
    'video only': {'boxes': ''},
    'new folders': {'output': '{1}/a/b/out.avi', 'boxes': '{1}/c/out'},
    'partly outside': {'box': '-5,-5,20,20'},
    'small': {'box': '5,6,20,9.5'},
    'mostly outside': {'box': '-30,6,40,20'},
    'cut avi': {'input': '{0}/cut.avi'},
    'damaged avi': {'input': '{0}/damaged.avi'},
    'quiet': {'quiet': 'true'},
    'in JAX': {'engine': 'jax'},
    'long-term': {'long_term': 'true'},
    'thumbnail': {'input': '{0}/thumbnail'},
    'pattern': {'input': '{0}/good/*.png', 'boxes': '{1}/out.csv'},
    'start': {'start_frame': '3', 'boxes': '{1}/out.csv'},
    'images': {'input': '{0}/good', 'format': 'coco_video'},
    'chosen': {'format': 'json', 'boxes': '{1}/out.txt'},
    'from file': {'box': None, 'boxes_from': '{0}/one.csv', 'output': '',
                  'boxes': '{1}/out.csv'},
}
BEFORE_WEIGHTS = set(BAD) - {
    'cut jpg', 'cut png', 'damaged png', 'other size', 'weights', 'tracker'}


@dataclasses.dataclass(frozen=True)
class Outcome:
  code: int
  out: str
  err: str
  folder: Path
  files: list[str]


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
  """Runs every command above once."""
  inputs = tmp_path_factory.mktemp('inputs')
  _make_inputs(inputs)
  results = {}
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(packaged, 'FOLDER', inputs / 'weights')
    patch.setattr(tracking, 'load_tracker', StandIn)
    for name, given in ({n: given for n, (_, given) in BAD.items()}
                        | GOOD_RUNS).items():
      folder = tmp_path_factory.mktemp('out')
      flags = [f'--{flag}={value.format(inputs, folder)}'
               for flag, value in (GOOD | given).items() if value is not None]
      code, out, err = _run(flags)
      results[name] = Outcome(code, out, err, folder, files(folder))
  return results


def _run(flags: list[str]) -> tuple[int, str, str]:
  """Exit status, and what comes through the file descriptors 1 and 2."""
  with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
    saved = os.dup(1), os.dup(2)
    with pytest.MonkeyPatch.context() as patch:
      os.dup2(out.fileno(), 1)
      os.dup2(err.fileno(), 2)
      for name, number in (('stdout', 1), ('stderr', 2)):
        patch.setattr(sys, name, os.fdopen(
            number, 'w', closefd=False))
      try:
        code = track.main(flags)
      finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(saved[0], 1)
        os.dup2(saved[1], 2)
    texts = []
    for file in (out, err):
      file.seek(0)
      texts.append(file.read().decode().replace('\r', '\n'))
    return code, texts[0], texts[1]


def _make_inputs(folder: Path) -> None:
  rng = np.random.default_rng(0)
  frames = [rng.integers(0, 256, (48, 64, 3), np.uint8) for _ in range(8)]
  for name, codec in (('video.avi', 'MJPG'), ('whole.mp4', 'mp4v')):
    writer = cv2.VideoWriter(
        str(folder / name), cv2.VideoWriter.fourcc(*codec), 12, (64, 48))
    for frame in frames:
      writer.write(frame)
    writer.release()
  video = (folder / 'video.avi').read_bytes()
  (folder / 'cut.avi').write_bytes(video[:len(video) * 3 // 5])
  at = len(video) // 2
  (folder / 'damaged.avi').write_bytes(
      video[:at] + bytes(3000) + video[at + 3000:])
  (folder / 'header.avi').write_bytes(video[:video.index(b'movi') + 4])
  whole = (folder / 'whole.mp4').read_bytes()
  (folder / 'cut.mp4').write_bytes(whole[:len(whole) // 2])
  (folder / 'empty.mp4').touch()
  (folder / 'junk.avi').write_bytes(rng.bytes(5000))
  (folder / 'none').mkdir()
  (folder / 'none' / 'readme.txt').touch()

  for name, rows in (('boxes', '1,1,5,6,20,10\n3,2,9,9,9,9'),
                     ('one', '3,4,5,6,20,10'), ('late', '9,1,5,6,20,10')):
    (folder / f'{name}.csv').write_text(f'frame,id,x,y,w,h\n{rows}\n')
  (folder / 'weights').mkdir()  # of the package
  (folder / 'weights' / 'large.safetensors').touch()

  make_folder(folder / 'good', frames, '.png')
  make_folder(folder / 'thumbnail', frames, '.png')
  cv2.imwrite(str(folder / 'thumbnail' / 'thumbnail.png'), frames[0][:9, :9])
  make_folder(folder / 'first', frames, '.jpg')
  (folder / 'first' / '1.jpg').write_bytes(b'')
  make_folder(folder / 'cut_jpg', frames, '.jpg')
  _cut(folder / 'cut_jpg' / '2.jpg')
  make_folder(folder / 'cut_png', frames, '.png')
  _cut(folder / 'cut_png' / '3.png')
  make_folder(folder / 'damaged_png', frames, '.png')
  damaged = bytearray((folder / 'damaged_png' / '3.png').read_bytes())
  damaged[3000:3500] = bytes(500)
  (folder / 'damaged_png' / '3.png').write_bytes(damaged)
  make_folder(folder / 'sizes', frames, '.png')
  cv2.imwrite(str(folder / 'sizes' / '3.png'), frames[0][:16, :32])


def _cut(path: Path) -> None:
  data = path.read_bytes()
  path.write_bytes(data[:len(data) // 2])


@pytest.mark.parametrize('name', BAD)
def test_bad_input_is_one_line_and_leaves_no_file(
    outcomes: dict[str, Outcome], name: str) -> None:
  outcome = outcomes[name]
  lines = [line for line in outcome.err.splitlines() if line]
  errors = [line for line in lines if line.startswith('error: ')]
  assert outcome.code == 2, outcome
  assert len(errors) == 1 and errors[0] == lines[-1], outcome.err
  assert BAD[name][0] in errors[0]
  assert 'Traceback' not in outcome.err
  assert outcome.files == []
  if name in BEFORE_WEIGHTS:
    assert lines == errors  # nothing else: no progress, no library's complaint
    assert 'weights read' not in outcome.out
  else:
    progress = ('preparing ', '0%', '25%')
    assert all(line.startswith(progress) for line in lines[:-1]), outcome.err


@pytest.mark.parametrize(('name', 'files', 'frames'), [
    ('video', ['out.mp4', 'out.txt'], 8),
    ('packaged', ['out.mp4', 'out.txt'], 8),
    ('folder', ['out.mp4', 'out.txt'], 8),
    ('boxes only', ['out.txt'], 8),
    ('video only', ['out.mp4'], 8),
    ('new folders', ['a/b/out.avi', 'c/out'], 8),
    ('partly outside', ['out.mp4', 'out.txt'], 8)])
def test_good_input(outcomes: dict[str, Outcome], name: str, files: list[str],
                    frames: int) -> None:
  outcome = outcomes[name]
  assert outcome.code == 0, outcome.err
  assert outcome.files == files
  wrote = [line for line in outcome.out.splitlines()
           if line.startswith('wrote ')]
  assert wrote == [f'wrote {outcome.folder / file}' for file in files]
  assert f'\n{frames} frames, ' in outcome.out
  assert 'frames/s' in outcome.out and 'note:' not in outcome.out


def test_notes_on_the_names_of_images(
    outcomes: dict[str, Outcome]) -> None:
  assert outcomes['thumbnail'].code == 0, outcomes['thumbnail'].err
  assert '\n8 frames, ' in outcomes['thumbnail'].out
  assert 'no frames, as thumbnail.png\n' in outcomes['thumbnail'].err


def test_quiet(outcomes: dict[str, Outcome]) -> None:
  assert outcomes['quiet'].code == 0 and not outcomes['quiet'].err
  assert '\n8 frames, ' in outcomes['quiet'].out


def test_progress_in_a_log_is_few_lines(
    outcomes: dict[str, Outcome]) -> None:
  preparing, bar = outcomes['video'].err.splitlines()
  assert preparing.startswith('preparing for 64x48 frames ... ')
  assert bar.startswith('100%') and ' 8/8 ' in bar


def test_name_of_a_packaged_model(outcomes: dict[str, Outcome]) -> None:
  assert '/weights/large.safetensors\n' in outcomes['packaged'].out
  assert 'weights read: any\nengine: auto\n' in outcomes['video'].out
  assert 'engine: jax\n' in outcomes['in JAX'].out


def test_long_term_is_asked_for(outcomes: dict[str, Outcome]) -> None:
  assert 'long-term\n' in outcomes['long-term'].out
  assert 'long-term\n' not in outcomes['video'].out


def test_boxes_file_starts_with_the_given_box(
    outcomes: dict[str, Outcome]) -> None:
  lines = (outcomes['video'].folder / 'out.txt').read_text().splitlines()
  assert len(lines) == 8
  assert lines[0] == '5.0000,6.0000,20.0000,10.0000'
  assert lines[-1] == '8.5000,6.0000,20.0000,10.0000'


@pytest.mark.parametrize(('name', 'fps'), [('video', 12), ('folder', 7)])
def test_rate_is_the_input_s_unless_given(
    outcomes: dict[str, Outcome], name: str, fps: float) -> None:
  capture = cv2.VideoCapture(str(outcomes[name].folder / 'out.mp4'))
  assert capture.get(cv2.CAP_PROP_FPS) == fps
  capture.release()


def test_what_browsers_do_not_play_is_said(
    outcomes: dict[str, Outcome]) -> None:
  line = ('browsers do not play this video (MPEG-4 part 2); for H.264, write '
          "an .mp4 after: pip install 'siamkpn_jax[video]'")
  said = {name: outcomes[name].out.splitlines().count(line)
          for name in ('video', 'new folders', 'boxes only')}
  assert said == {'video': int(not h264.available()), 'new folders': 1,
                  'boxes only': 0}


def test_cut_video_keeps_what_was_decoded(
    outcomes: dict[str, Outcome]) -> None:
  outcome = outcomes['cut avi']
  lines = (outcome.folder / 'out.txt').read_text().splitlines()
  assert outcome.code == 0 and 0 < len(lines) < 8
  assert 'note' not in outcome.out
  assert outcome.err.splitlines()[-1].endswith(
      f'/cut.avi: {len(lines)} of 8 announced frames could be read; the file '
      'may be cut off')


def test_damaged_video_says_which_lines_are_lost(
    outcomes: dict[str, Outcome]) -> None:
  outcome = outcomes['damaged avi']
  lines = (outcome.folder / 'out.txt').read_text().splitlines()
  lost = lines.count('nan,nan,nan,nan')
  assert outcome.code == 0 and len(lines) == 8 and lost
  assert f', {lost} of them could not be decoded (nan)\n' in outcome.out
  assert f'{lost} of 8 frames could not be decoded' in outcome.err
  assert '\nnote: ' in outcome.err


@pytest.mark.parametrize(('name', 'note'), [
    ('video', ''), ('partly outside', ''),
    ('small', "note: box 5,6,20,9.5: small; the tracker's boxes are at least "
     '10 pixels wide and high'),
    ('mostly outside', 'note: box -30,6,40,20: only 25% of it lies in the '
     '64x48 frame; expected left,top,width,height')])
def test_doubtful_boxes(outcomes: dict[str, Outcome], name: str,
                        note: str) -> None:
  assert outcomes[name].code == 0
  notes = [line for line in outcomes[name].err.splitlines() if 'note' in line]
  assert notes == [note] * bool(note)


def test_what_a_file_of_boxes_has(outcomes: dict[str, Outcome]) -> None:
  lines = (outcomes['start'].folder / 'out.csv').read_text().splitlines()
  assert lines[0] == 'frame,time,id,x,y,w,h,score,state,confidence'
  assert lines[1] == ('3,0.166667,1,5.0000,6.0000,20.0000,10.0000,1.0000,'
                      'tracked,nan')
  assert lines[-1].startswith('8,0.583333,1,7.5') and len(lines) == 7
  assert '\n6 frames, ' in outcomes['start'].out
  rows = json.loads((outcomes['chosen'].folder / 'out.txt').read_text())
  assert len(rows['boxes']) == 8 and rows['boxes'][1] == {
      'frame': 2, 'time': 0.083333, 'id': 1, 'x': 5.5, 'y': 6.0, 'w': 20.0,
      'h': 10.0, 'score': 0.5, 'state': 'tracked', 'confidence': None}
  images = json.loads((outcomes['images'].folder / 'out.txt').read_text())
  assert [image['file_name'] for image in images['images']] == [
      f'{k}.png' for k in range(1, 9)]
  lines = (outcomes['from file'].folder / 'out.csv').read_text().splitlines()
  assert lines[1].startswith('3,') and lines[1].split(',')[2] == '4'
  assert len(lines) == 7 and '\n8 frames, ' in outcomes['from file'].out


def test_a_pattern_without_quotes_is_explained(command) -> None:
  assert_one_line(command('track', '1.jpg', '2.jpg'),
                  "unexpected argument '2.jpg': expected one VIDEO and flags; "
                  "write a pattern such as 'frames/*.jpg' in quotes")
