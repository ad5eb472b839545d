"""The tracker as programs that need no siamkpn_jax."""

import contextlib
import functools
import io
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.checkpoints.weights_file import save_weights_file
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.boxes import iou_xywh
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.synthetic import Scene
from siamkpn_jax.models.siamkpn import build_model
from siamkpn_jax.tracking import functional
from siamkpn_jax.tracking.crop import crop_square
from siamkpn_jax.tracking.decode import (
    DecodeConfig,
    Hyperparameters,
)
from siamkpn_jax.tracking.export import check, metadata, run, stablehlo_files
from siamkpn_jax.tracking.load import load_tracker
from tests.commands import assert_one_line
from tests.optional import import_or_skip
from tests.tracking.small import SMALL, small_network, video

onnx = import_or_skip('onnx', 'the export to ONNX needs it')
onnxruntime = import_or_skip('onnxruntime', 'the export to ONNX needs it')

from siamkpn_jax.tracking.onnx import programs, quantize  # noqa: E402
from siamkpn_jax.tracking.onnx.correlation import correlate  # noqa: E402

ROOT = Path(__file__).parents[2]
(IN_JAX,) = re.findall(r'(?s)```python\n(.*?)```', (
    ROOT / 'docs' / 'export.md').read_text())
SETTINGS = {'window_influence': 0.2, 'size_lr': 0.7}
RULE = DecodeConfig(0., 0., 0.).rule


def save(path, change=lambda variables: None):
  variables = jax.tree.map(np.copy, small_network()[1])
  change(variables)
  save_weights_file(path, Config().updated(model=SMALL), variables, {})
  return path


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
  return save(tmp_path_factory.mktemp('weights') / 'small.safetensors')


@pytest.fixture(scope='module')
def exported(weights, tmp_path_factory):
  """Format -> folder; each is exported when it is first asked for."""
  home = tmp_path_factory.mktemp('exported')

  @functools.cache
  def export(format, batch):
    folder = home / f'{format} {batch}'
    run.export(weights, folder, format, tracking=SETTINGS, batch=batch)
    return folder

  return lambda format, batch='any': export(format, batch)


def batch(count):
  """What `functional` takes, of several targets with settings of their own."""
  given = check.sample(DecodeConfig(0.1, 0.4, 0.6))
  more = lambda array: np.concatenate([array, array])[:count]
  given = jax.tree.map(more, given)
  numbers = {name: values * np.linspace(0.5, 1.2 + k / 10, count, dtype='f')
             for k, (name, values) in enumerate(given.hyperparameters.items())}
  return given._replace(hyperparameters=numbers)


def wanted(weights, given):
  """The state before and after, and what was observed, in JAX."""
  config, variables = load_model(weights)
  model = build_model(config.model)
  state = functional.init(variables, given.first, given.center, given.size,
                          model=model)
  after, found = functional.update(
      variables, state, functional.SearchInput(
          given.second, given.scale, given.frame_size),
      Hyperparameters(**given.hyperparameters), model=model, rule=RULE)
  return jax.device_get((state, after, found))


def sessions(folder):
  return [onnxruntime.InferenceSession(folder / f'{name}.onnx')
          for name in ('template', 'update')]


@pytest.mark.parametrize(('count', 'size'), [(1, 'any'), (3, 'any'), (1, '1')])
def test_onnx_equals_the_functional_tracker(exported, weights, count, size):
  given = batch(count)
  _, after, found = wanted(weights, given)
  template, update = sessions(exported('onnx', size))
  (kernels,) = template.run(None, {'crop': given.first})
  got = dict(zip([o.name for o in update.get_outputs()], update.run(None, {
      'crop': given.second, 'kernels': kernels, 'size': given.size,
      'scale': given.scale, **given.hyperparameters}), strict=True))
  heatmap = 1 / (1 + np.exp(-got['heatmap']))
  np.testing.assert_allclose(heatmap, found.heatmaps, atol=1e-4)
  np.testing.assert_allclose(got['score'], found.score, atol=1e-4)
  center = np.clip(given.center + got['shift'], 0, given.frame_size)
  size = np.clip(got['new_size'], functional.MIN_SIDE, given.frame_size)
  np.testing.assert_allclose(center, after.center, atol=0.01)
  np.testing.assert_allclose(size, after.size, atol=0.01)
  assert np.abs(got['shift']).max() > 1  # something that could go wrong


@pytest.mark.parametrize('count', [1, 3])
def test_stablehlo_equals_the_functional_tracker(exported, weights, count):
  given = batch(count)
  before, after, found = wanted(weights, given)
  programs_ = [jax.export.deserialize(bytearray(
      (exported('stablehlo') / f'{name}.stablehlo').read_bytes()))
      for name in ('template', 'update')]
  assert {p.platforms for p in programs_} == {('cpu', 'cuda', 'tpu')}
  template, update = (p.call for p in programs_)
  state = template(given.first, given.center, given.size)
  close = functools.partial(np.testing.assert_allclose, rtol=0, atol=1e-3)
  jax.tree.map(close, state['kernels'], before.template.kernels)
  state, got = update(state, given.second, given.scale, given.frame_size,
                      given.hyperparameters)
  close(got['heatmaps'], found.heatmaps, atol=1e-4)
  close(got['score'], found.score, atol=1e-4)
  close(state['center'], after.center, atol=0.01)
  close(state['size'], after.size, atol=0.01)


def test_stablehlo_needs_nothing_but_jax(exported, tmp_path):
  """The lines of the page, and the two calls that they show as comments."""
  (tmp_path / 'kpn3s_stablehlo').symlink_to(exported('stablehlo'))
  lines = [
      'import sys',
      'sys.modules["siamkpn_jax"] = sys.modules["flax"] = None', IN_JAX,
      'import numpy as np',
      'pair, crop = np.ones((1, 2), "f"), np.ones((1, 127, 127, 3), "u1")',
      'state = template(crop, 60 * pair, 50 * pair)',
      'settings = {name: np.float32([x]) for name, x in settings.items()}',
      'crop = np.ones((1, 255, 255, 3), "u1")',
      'state, found = update(state, crop, pair[0, :1], 99 * pair, settings)',
      'print(state["center"].shape, found["heatmaps"].shape)']
  done = subprocess.run(
      [sys.executable, '-c', '\n'.join(lines)], check=False, cwd=tmp_path,
      text=True, capture_output=True, env=os.environ | {'JAX_PLATFORMS': 'cpu'})
  assert done.stdout == '(1, 2) (1, 1, 31, 31)\n', done.stderr


def fields(text):
  """'float32 [batch, 2]: ...' -> what ONNX Runtime says of such a value."""
  dtype, sizes = re.match(r'(\w+) \[([^]]+)\]', text).groups()
  return {'float32': 'tensor(float)', 'uint8': 'tensor(uint8)'}[dtype], [
      int(n) if n.isdigit() else n for n in sizes.split(', ')]


@pytest.mark.parametrize(('format', 'size'), [
    ('onnx', 'any'), ('onnx', '1'), ('stablehlo', 'any')])
def test_programs_describe_themselves(exported, format, size):
  """Hyperparameters and crops, where a program looks for them."""
  folder = exported(format, size)
  told = json.loads((folder / 'metadata.json').read_text())
  assert sorted(p.name for p in folder.iterdir()) == [
      'metadata.json', f'template.{format}', f'update.{format}']
  assert told['hyperparameters'] == {
      'penalty_k': 0.1, 'window_influence': 0.2, 'size_lr': 0.7,
      'threshold': 0.15}
  assert told['batch'] == size
  if size == 'any':
    assert told['programs'] == metadata.signatures(
        format, told['search_size'])
  assert (told['template_size'], told['search_size']) == (127, 255)
  if format == 'stablehlo':
    return  # the test of its boxes calls it by these names
  for name, session in zip(('template', 'update'), sessions(folder),
                           strict=True):
    inside = session.get_modelmeta().custom_metadata_map
    assert json.loads(inside['hyperparameters']) == told['hyperparameters']
    assert inside.keys() == told.keys()
    for key, found in (('inputs', session.get_inputs()),
                       ('outputs', session.get_outputs())):
      shapes = {one.name: (one.type, one.shape) for one in found}
      n = SMALL['channels'] * len(SMALL['levels']) * SMALL['num_stages']
      assert shapes == {
          name: (dtype, [n if s == 'n' else s for s in sizes])
          for name, text in told['programs'][name][key].items()
          for dtype, sizes in [fields(text)]}


def test_a_batch_of_one_has_no_unknown_sizes(exported):
  """Nothing is left to a runtime to find out, and its kernels are grouped."""
  for session in sessions(exported('onnx', '1')):
    assert all(isinstance(size, int) for one in (
        *session.get_inputs(), *session.get_outputs()) for size in one.shape)
  groups = [attribute.i for node in onnx.load(
      exported('onnx', '1') / 'update.onnx').graph.node
      for attribute in node.attribute if attribute.name == 'group']
  assert SMALL['channels'] in groups


def run_example(folder, frames, box, monkeypatch):
  """What the program of docs/deploy.md prints."""
  monkeypatch.setattr(sys, 'argv', [
      'deploy.py', str(folder), str(frames), ','.join(map(str, box))])
  # No package of ours, nor what ours needs.
  monkeypatch.setitem(sys.modules, 'siamkpn_jax', None)
  monkeypatch.setitem(sys.modules, 'jax', None)
  out = io.StringIO()
  with contextlib.redirect_stdout(out):
    runpy.run_path(str(ROOT / 'examples' / 'deploy.py'), run_name='__main__')
  monkeypatch.undo()
  return np.array([line.split(',') for line in out.getvalue().splitlines()],
                  float)


def run_tracker(weights, frames, box, **settings):
  """The same of the tracker in the package."""
  tracker = load_tracker(weights, engine='onnxruntime', **settings)
  images = cv2.VideoCapture(str(frames))
  tracker.init(images.read()[1], box)
  rows = []
  while (frame := images.read()[1]) is not None:
    rows.append([*tracker.update(frame)[1], tracker.score])
  return np.array(rows)


@pytest.mark.parametrize(('box', 'size'), [
    (None, 'any'), ((-20, -10, 60, 50), 'any'), ((100, 40, 60, 79), '1')])
def test_the_program_of_the_page_tracks(exported, weights, tmp_path,
                                        monkeypatch, box, size):
  """With nothing of this package; also over the border."""
  frames, first = video()
  for k, frame in enumerate(frames):
    cv2.imwrite(str(tmp_path / f'{k:02d}.png'), frame)
  given = tmp_path / '%02d.png', tuple(first if box is None else box)
  got = run_example(exported('onnx', size), *given, monkeypatch)
  want = run_tracker(weights, *given, **SETTINGS)
  np.testing.assert_allclose(got[:, :4], want[:, :4], rtol=0, atol=0.01)
  np.testing.assert_allclose(got[:, 4], want[:, 4], rtol=0, atol=1e-4)
  assert len(got) == len(frames) - 1 and np.ptp(got[:, :4], axis=0).max() > 1


@pytest.mark.parametrize(('precision', 'least', 'most'), [
    ('float16', 0.5, 0.6), ('int8', 0.3, 0.45)])
def test_smaller_precisions_track(tmp_path, monkeypatch, precision, least,
                                  most):
  """The program of the page, unchanged; the sizes of update.onnx."""
  monkeypatch.setattr(quantize, '_SCENES', 1)
  run.export('kpn3s_nano', tmp_path / 'out', 'onnx', precision=precision)
  scene = Scene(3, 0, size=(240, 180))
  for k in range(8):
    cv2.imwrite(str(tmp_path / f'{k:02d}.png'), scene.render(k)[0])
  given = tmp_path / '%02d.png', tuple(scene.box(0))
  got = run_example(tmp_path / 'out', *given, monkeypatch)
  want = run_tracker('kpn3s_nano', *given)
  assert iou_xywh(got[:, :4], want[:, :4]).mean() > 0.9
  assert np.abs(got - want).max() > 1e-4  # they are other networks
  weights_of_float32 = 3_091_188
  size = (tmp_path / 'out' / 'update.onnx').stat().st_size
  assert least < size / weights_of_float32 < most
  stored = json.loads((tmp_path / 'out' / 'metadata.json').read_text())
  assert stored['precision'] == precision


def test_precisions_that_are_refused(weights, tmp_path):
  for format, precision, message in (
      ('stablehlo', 'int8', '^--precision int8: of --format onnx alone'),
      ('safetensors', 'int8', '^--precision int8: of --format onnx alone'),
      ('onnx', 'int4', "^precision='int4': expected one of float32, float16, "),
      ('onnx', 'int8', "^precision 'int8': .* these weights are of a resnet")):
    with pytest.raises(UserError, match=message):
      run.export(weights, tmp_path / 'out', format, precision=precision)
  assert nothing_but(tmp_path)


@pytest.mark.parametrize(('format', 'size', 'message'), [
    ('stablehlo', '1', '^--batch 1: of --format onnx alone'),
    ('safetensors', '1', '^--batch 1: of --format onnx alone'),
    ('onnx', '2', "^batch='2': expected one of any, 1$")])
def test_batches_that_are_refused(weights, tmp_path, format, size, message):
  with pytest.raises(UserError, match=message):
    run.export(weights, tmp_path / 'out.safetensors', format, batch=size)
  assert nothing_but(tmp_path)


@pytest.mark.realdata
def test_the_program_of_the_page_tracks_a_real_target(real_data, tmp_path,
                                                      monkeypatch):
  """The packaged model on the first 40 frames of Human7."""
  run.export('kpn3s_nano', tmp_path / 'onnx', 'onnx')
  home = real_data / 'sequences' / 'Human7'
  for image in sorted((home / 'img').iterdir())[:40]:
    (tmp_path / image.name).symlink_to(image.resolve())
  box = np.loadtxt(home / 'groundtruth_rect.txt', delimiter=',', max_rows=1)
  given = tmp_path / '%08d.jpg', tuple(box)
  got = run_example(tmp_path / 'onnx', *given, monkeypatch)
  want = run_tracker('kpn3s_nano', *given)
  np.testing.assert_allclose(got[:, :4], want[:, :4], rtol=0, atol=0.01)
  assert len(got) == 39 and np.abs(got[-1, :4] - box).max() > 5


@pytest.mark.parametrize('output', [127, 255])
def test_the_program_crops_as_the_tracker(output):
  """Bit for bit, larger and smaller, inside, over the border and outside."""
  cut = runpy.run_path(str(ROOT / 'examples' / 'deploy.py'))['cut']
  rng = np.random.default_rng(0)
  frame = rng.integers(0, 256, (60, 80, 3), np.uint8)
  fill = np.array([3, 200, 77], np.uint8)
  for pixels in (0.3, 1, 2, 7.5, 60, output - 1, output, output + 1, 2 * output,
                 2 * output + 1, 4 * output, 9.1 * output):
    center = rng.uniform(-40, 120, 2).astype(np.float32)
    np.testing.assert_array_equal(
        cut(frame, center, pixels, output, fill),
        crop_square(frame, center, pixels, output, fill))


def nothing_but(folder, *names):
  return sorted(p.name for p in folder.iterdir()) == sorted(names)


def test_what_computes_something_else_is_not_written(weights, tmp_path,
                                                     monkeypatch):
  monkeypatch.setattr(programs, 'correlate',
                      lambda search, kernel: 1.001 * correlate(search, kernel))
  with pytest.raises(RuntimeError, match='not written: heatmap .* differs'):
    run.export(weights, tmp_path / 'out', 'onnx')
  monkeypatch.undo()
  monkeypatch.setattr(
      stablehlo_files, 'correlate_shifted',
      lambda search, kernel: 1.001 * correlate(search, kernel))
  with pytest.raises(RuntimeError, match='not written: heatmaps .* differs'):
    run.export(weights, tmp_path / 'out', 'stablehlo')
  assert nothing_but(tmp_path)


def test_weights_that_do_not_suit_a_precision():
  """Rounding depends on them: no bug of the program."""
  errors, far = check.Errors(), np.float32([2, 1.5])
  with pytest.raises(UserError, match='^not written: heatmap .* in float32$'):
    errors.compare('heatmap', far, np.float32([2, 1]), check.TOLERANCES['int8'])
  errors.compare('heatmap', far, np.float32([2, 1.4]), check.TOLERANCES['int8'])


def test_weights_that_give_no_numbers(tmp_path, monkeypatch):
  def break_(variables):  # finite, but what they compute is not
    head = variables['params']['head']['layer2_shared_stage2']['predict_out']
    head['kernel'][:] = 3e38
    head['bias'][:] = 3e38
  file = save(tmp_path / 'a.safetensors', break_)
  with pytest.raises(UserError, match=r'their \w+ on a rendered frame is not'):
    run.export(file, tmp_path / 'out', 'onnx')
  assert nothing_but(tmp_path, 'a.safetensors')


def test_a_network_that_cannot_be_exported(weights, tmp_path, monkeypatch):
  monkeypatch.setattr(programs, 'correlate', lambda search, kernel: (
      jnp.cumsum(correlate(search, kernel), 1)))
  with pytest.raises(UserError, match='--format onnx: cumsum: .*stablehlo'):
    run.export(weights, tmp_path / 'out', 'onnx')
  assert nothing_but(tmp_path)


@pytest.mark.parametrize('name', ['onnx', 'onnxruntime'])
def test_a_package_that_is_missing(command, weights, tmp_path, monkeypatch,
                                   name):
  monkeypatch.setitem(sys.modules, name, None)
  monkeypatch.delitem(sys.modules, 'siamkpn_jax.tracking.export.onnx_files',
                      raising=False)
  done = command('export', '--weights', weights, '--format', 'onnx',
                 '--output', tmp_path / 'out')
  assert_one_line(done, f'needs the package {name},',
                  "pip install 'siamkpn_jax[export]'")
  assert nothing_but(tmp_path)


@pytest.mark.parametrize(('flags', 'words'), [
    (['--format', 'onnx', '--output', '{0}'], 'already exists'),
    (['--format', 'stablehlo', '--output', '{0}/new', '--overwrite'],
     '--overwrite: not used with --format stablehlo'),
    (['--format', 'onnx', '--output', ''], '--output: empty'),
    (['--format', 'tflite', '--output', '{0}/new'], 'tflite')])
def test_mistakes(command, weights, tmp_path, flags, words):
  (tmp_path / 'file').touch()
  done = command('export', '--weights', weights,
                 *(flag.format(tmp_path) for flag in flags))
  assert_one_line(done, words)
  assert nothing_but(tmp_path, 'file')


def test_command(command, weights, tmp_path):
  """What it prints of the check, and of what it wrote."""
  done = command('export', '--weights', weights, '--format', 'onnx',
                 '--output', tmp_path / 'out')
  assert done.returncode == 0, done.stderr
  assert re.search(r'update\.onnx +[\d,]+ bytes', done.stdout)
  errors = dict(re.findall(r'^(\w+) +(\d\.\de-?\+?\d+)$', done.stdout,
                           re.MULTILINE))
  assert errors.keys() == {'kernels', *programs.MAPS, *programs.CHANGE}
  assert done.stdout.endswith(f'wrote {tmp_path / "out"}\n')
