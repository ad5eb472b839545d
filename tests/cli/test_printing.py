"""What cannot be printed is escaped, and no reason to lose results."""

import io
import json
import sys

import cv2
import numpy as np
import pytest

from siamkpn_jax.cli import command, process
from siamkpn_jax.evaluation.report.score_table import score_table
from siamkpn_jax.evaluation.run import load
from siamkpn_jax.evaluation.run.protocol import FirstBoxTracker
from siamkpn_jax.tracking import load as tracking
from siamkpn_jax.tracking.one_target import OneTarget
from tests.cli.stand_in import StandIn

ODD = 'caf\udce9'  # as Python reads the bytes of a name that is not UTF-8


class _Stream(io.TextIOWrapper):
  """As of a process whose locale is strict."""

  def __init__(self, encoding, errors='strict'):
    self.bytes = io.BytesIO()
    super().__init__(self.bytes, encoding, errors, write_through=True)

  @property
  def text(self):
    return self.bytes.getvalue().decode('utf-8', 'surrogateescape')


@pytest.fixture(params=['utf-8', 'ascii', 'latin-1'])
def strict(request, monkeypatch):
  """Call it in the test, as pytest sets the streams again before."""
  def use():
    for name in ('stdout', 'stderr'):
      monkeypatch.setattr(sys, name, _Stream(request.param))
    return sys.stdout

  return use


class _Unread(_Stream):
  """Nothing reads it: `| head` has left."""

  def write(self, text):
    raise BrokenPipeError(32, 'Broken pipe')


@pytest.fixture
def sequences(tmp_path):
  """One sequence in OTB layout, whose name is not UTF-8; its results."""
  images = tmp_path / 'otb' / 'cafe' / 'img'
  images.mkdir(parents=True)
  for i in range(1, 5):
    cv2.imwrite(str(images / f'{i}.png'), np.zeros((9, 9, 3), np.uint8))
  (images.parent / 'groundtruth_rect.txt').write_text('1,2,3,4\n' * 4)
  (tmp_path / 'otb' / 'no sequence').mkdir()
  try:
    images.parent.rename(tmp_path / 'otb' / ODD)
  except (OSError, UnicodeError):
    pytest.skip('names of files are UTF-8 here')
  (tmp_path / 'run').mkdir()
  (tmp_path / 'run' / f'{ODD}.txt').write_text('1,2,3,4\n' * 4)
  return tmp_path / 'otb'


@pytest.mark.parametrize('errors', ['strict', 'surrogateescape'])
@pytest.mark.parametrize('encoding', ['utf-8', 'ascii', 'latin-1', 'cp1252'])
def test_any_text_can_be_printed(monkeypatch, encoding, errors):
  streams = [_Stream(encoding, errors) for _ in range(2)]
  for name, stream in zip(('stdout', 'stderr'), streams, strict=True):
    monkeypatch.setattr(sys, name, stream)

  def work():
    print(f'{ODD} 中\ud800')
    print(ODD, file=sys.stderr)
    return 3

  assert process.status_of(work) == 3
  assert streams[0].text.startswith(r'caf\udce9 ')
  assert streams[1].text == 'caf\\udce9\n'
  assert streams[0].errors == streams[1].errors == errors


def _score(sequences):
  return command.execute('score', [
      '--benchmark=otb', f'--annotations={sequences}',
      f'--results={sequences.parent / "run"}',
      f'--json={sequences.parent / "scores.json"}'])


def _evaluate(sequences, monkeypatch):
  monkeypatch.setattr(
      load, 'load_for_sequences',
      lambda weights, lengths, batch, hyperparameters, **engine: (
          OneTarget(FirstBoxTracker()), {'weights': weights}))
  (sequences.parent / 'weights').mkdir()
  return command.execute('evaluate', [
      f'--data={sequences}', f'--output={sequences.parent / ODD}', '--quiet',
      f'--weights={sequences.parent / "weights"}'])


def test_score(strict, sequences):
  printed = strict()
  assert _score(sequences) == 0, sys.stderr.text
  assert r'caf\udce9 ' in printed.text
  scores = json.loads((sequences.parent / 'scores.json').read_text())
  assert scores['success_auc'] > 0.9 and ODD in scores['sequences']


def test_evaluate(strict, sequences, monkeypatch):
  printed = strict()
  assert _evaluate(sequences, monkeypatch) == 0, sys.stderr.text
  assert r'caf\udce9 ' in printed.text and 'no sequence' in printed.text
  output = sequences.parent / ODD
  assert (output / 'caf%E9.txt').is_file()
  assert (output / 'report' / 'report.html').is_file()


def test_track(strict, tmp_path, monkeypatch):
  """OpenCV itself ends the process where such a name is given to it."""
  printed = strict()
  monkeypatch.setattr(tracking, 'load_tracker', StandIn)
  assert cv2.imwrite(str(tmp_path / '1.png'), np.zeros((48, 64, 3), np.uint8))
  video = tmp_path / f'{ODD}.avi'
  for given, output in ((tmp_path, video), (video, tmp_path / f'{ODD}2.mp4')):
    boxes = tmp_path / f'{ODD}.txt'
    assert command.execute('track', [
        f'--input={given}', '--box=5,6,20,10', f'--boxes={boxes}',
        f'--output={output}', '--weights=any']) == 0, sys.stderr.text
    assert output.stat().st_size > 1000 and boxes.read_text()
    assert r'caf\udce9.txt' in printed.text


def test_results_come_before_words(sequences, monkeypatch):
  """Even where the first word shows that nobody reads it."""
  monkeypatch.setattr(sys, 'stdout', _Unread('utf-8'))
  monkeypatch.setattr(process, 'reader_has_left', lambda: True)
  assert _score(sequences) == process.UNREAD
  assert (sequences.parent / 'scores.json').is_file()
  assert _evaluate(sequences, monkeypatch) == process.UNREAD
  assert (sequences.parent / ODD / 'report' / 'report.html').is_file()


def test_errors_are_one_line(capsys, tmp_path):
  assert command.execute('track', [
      f'--input={tmp_path}/a\nb\x1b[2J', '--box=1,2,3,4',
      f'--boxes={tmp_path}/o']) == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.isprintable()


def test_names_in_a_table_are_one_line():
  row = {'success_auc': 0.5}
  lines = score_table({'sequences': {'a\nb\x1b[2J\udce9': row},
                       'attributes': {}, **row}).splitlines()
  assert len(lines) == 3 and lines[1].startswith(r'a\nb\x1b[2J\udce9 ')
