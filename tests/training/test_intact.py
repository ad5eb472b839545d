"""Weights are as they were written, or refused; the reason is the real one."""

import errno
import json
import logging
import os
import random
import shutil
import subprocess
import sys

import jax
import pytest
from orbax.checkpoint import v1 as ocp

from siamkpn_jax.checkpoints import checksums, failures, weights
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core.errors import UserError
from tests.tracking.small import SMALL, small_network
from tests.training.test_checkpoints import (
  assert_equal,
  restore,
  save,
  some_state,
)
from tests.training.tiny import tiny_config


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
  folder = tmp_path_factory.mktemp('saved')
  save(folder, some_state(), tiny_config())
  return folder


@pytest.fixture(scope='module')
def saved_model(tmp_path_factory):
  folder = tmp_path_factory.mktemp('model')
  weights.save_model(folder, Config().updated(model=SMALL), small_network()[1])
  return folder


@pytest.fixture
def run(saved, tmp_path):
  return shutil.copytree(saved, tmp_path / 'run')


@pytest.fixture
def converted(saved_model, tmp_path):
  """A checkpoint without the items of training."""
  shutil.copytree(saved_model, tmp_path / 'converted')
  return tmp_path / 'converted' / 'checkpoints' / '0'


def files(folder):
  return {p.relative_to(folder): p.read_bytes()
          for p in sorted(folder.rglob('*')) if p.is_file()}


def flip(path, bit):
  data = bytearray(path.read_bytes())
  data[bit // 8] ^= 1 << bit % 8
  path.write_bytes(data)


ERRORS = [
    jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: Out of memory allocating'),
    OSError(errno.ESTALE, os.strerror(errno.ESTALE)),
    MemoryError('Unable to allocate'),
    RuntimeError("Unable to initialize backend 'cuda'"),
    ValueError('of a kind that nobody has thought of')]


@pytest.mark.parametrize('error', ERRORS, ids=lambda e: type(e).__name__)
def test_the_real_reason_and_nothing_touched(run, monkeypatch, error):
  """What goes wrong with intact files is no damage."""
  before = files(run / 'checkpoints')
  def fail(*args, **kwargs):
    raise error
  monkeypatch.setattr(ocp, 'load_checkpointables', fail)
  with pytest.raises(UserError) as caught:
    restore(run, some_state(), tiny_config())
  message = str(caught.value)
  assert (error.strerror if isinstance(error, OSError) else str(error)
          ) in message
  assert '\n' not in message and 'damaged' not in message
  assert files(run / 'checkpoints') == before
  monkeypatch.undo()
  assert_equal(restore(run, some_state(), tiny_config()), some_state())


@pytest.mark.parametrize('name', ['_checksum', 'read_bounded'])
@pytest.mark.parametrize('code', [errno.ESTALE, errno.EIO, errno.EACCES])
def test_files_that_cannot_be_read_now(run, monkeypatch, name, code):
  def fail(path, *rest):
    raise OSError(code, os.strerror(code), str(path))
  monkeypatch.setattr(checksums, name, fail)
  with pytest.raises(UserError, match=os.strerror(code)):
    restore(run, some_state(), tiny_config())
  assert [p.name for p in (run / 'checkpoints').iterdir()] == ['7']


def test_reading_the_configuration_needs_no_device(run, monkeypatch):
  """Where JAX has none, that is what is told, by what needs it."""
  def fail(*args):
    raise RuntimeError("Unable to initialize backend 'cuda'")
  monkeypatch.setattr(jax, 'devices', fail)
  monkeypatch.setattr(jax, 'local_devices', fail)
  path = run / 'checkpoints' / '7'
  assert weights.read_config(path)['name'] == 'tiny'
  assert weights.has_training_state(path)


def test_one_flipped_bit_in_what_is_tracked_with(converted):
  """In any file of the arrays, in the settings, in the list of checksums."""
  rng = random.Random(0)
  assert weights.load_model(converted)
  listed = [p for p in (converted / 'model').rglob('*') if p.is_file()]
  for path in [*listed, converted / checksums.NAME]:
    data = path.read_bytes()
    flip(path, rng.randrange(8 * len(data)))
    with pytest.raises(UserError, match=r'damaged \(|as it was') as caught:
      weights.load_model(converted)
    assert '\n' not in str(caught.value)
    path.write_bytes(data)
  path = converted / '_CHECKPOINT_METADATA'
  text = path.read_text()
  path.write_text(text.replace('"penalty_k": 0.1', '"penalty_k": 0.3'))
  for read in (weights.load_model, weights.read_config, weights.read_origin):
    with pytest.raises(UserError, match='METADATA is not as it was written'):
      read(converted)
  path.write_text(text)
  assert weights.load_model(converted)


def test_a_run_to_track_with(run):
  """Of what training needs alone, tracking says nothing; resuming does."""
  path = run / 'checkpoints' / '7'
  metadata = weights._metadata(path)
  assert '_CHECKPOINT_METADATA' in (path / checksums.NAME).read_text()
  flip(next((path / 'training' / 'd').iterdir()), 80)
  weights.check_intact(path, metadata)
  assert checksums.damage(path).startswith('training/d/')
  flip(next((path / 'model' / 'd').iterdir()), 80)
  with pytest.raises(UserError, match=r'damaged \(model/d/'):
    weights.check_intact(path, metadata)
  (path / checksums.NAME).unlink()
  with pytest.raises(UserError, match='checksums.json: No such file'):
    weights.check_intact(path, metadata)


def test_conversions_of_earlier_versions_have_no_checksums(converted):
  (converted / checksums.NAME).unlink()
  assert weights.load_model(converted)


def test_a_damaged_manifest_without_checksums_is_told(converted):
  """Of an earlier version: Orbax is asked, whose threads may complain, too."""
  (converted / checksums.NAME).unlink()
  for path in (converted / 'model').rglob('*'):
    if path.is_file() and path.name != '_METADATA':
      path.write_bytes(path.read_bytes()[:40])
  done = subprocess.run(
      [sys.executable, '-m', 'siamkpn_jax.export', f'--weights={converted}',
       f'--output={converted.parent / "out.safetensors"}'],
      capture_output=True, text=True, check=False)
  (line,) = (x for x in done.stderr.splitlines() if x.startswith('error: '))
  assert done.returncode == 2 and 'cannot be read' in line and not done.stdout


def test_a_damaged_manifest_does_not_reach_orbax(converted, capfd, monkeypatch):
  """Nor do its thousands of coroutines."""
  manifest = next((converted / 'model').rglob('manifest.ocdbt'))
  manifest.write_bytes(manifest.read_bytes()[:40])
  monkeypatch.setattr(ocp, 'load_checkpointables', None)
  monkeypatch.setattr(ocp, 'load', None)
  with pytest.raises(UserError, match='damaged'):
    weights.load_model(converted)
  assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('name', [
    '/etc/passwd', '../outside', 'model/../../outside', 'model/./d', '',
    'model//d', 'C:/outside', '..\\outside', 'model/\0'])
def test_names_that_lead_elsewhere_are_never_followed(
    converted, monkeypatch, name):
  entries = json.loads((converted / checksums.NAME).read_text())
  (converted.parent / 'outside').write_text('x')
  (converted / checksums.NAME).write_text(json.dumps(
      entries | {name: '00000000 1'}))
  read = checksums._checksum
  monkeypatch.setattr(checksums, '_checksum', lambda path: (
      path.resolve().is_relative_to(converted) or pytest.fail(str(path))
      ) and read(path))
  assert checksums.damage(converted) == (
      'checksums.json is not as it was written')


@pytest.mark.parametrize('text', [
    '', '{', '[]', '{}', 'null', '[' * 100_000, '{"model/_METADATA": 1}',
    '{"model/_METADATA": NaN}',
    '{"model/_METADATA": {}}', '{"model/_METADATA": "00000000 1"}', '\xff'])
def test_lists_that_are_none(converted, text):
  (converted / checksums.NAME).write_bytes(text.encode('latin-1'))
  assert checksums.damage(converted)


def test_a_file_that_is_not_listed(converted):
  (converted / 'model' / '.DS_Store').write_text('of a file manager')
  assert checksums.damage(converted) == ''
  (converted / 'model' / 'd' / 'more').write_text('x')
  assert checksums.damage(converted) == 'model/d/more is not in checksums.json'


@pytest.mark.parametrize('name', [
    '_CHECKPOINT_METADATA', checksums.NAME, 'model/_METADATA'])
def test_what_is_no_file_is_not_waited_for(converted, name):
  """A pipe has no end, and a link to itself leads nowhere."""
  path = converted / name
  path.unlink()
  os.mkfifo(path)
  with pytest.raises(UserError):
    weights.load_model(converted)
  path.unlink()
  path.symlink_to(path.name)
  with pytest.raises(UserError):
    weights.load_model(converted)


def test_a_folder_with_a_superscript_is_no_step(saved_model, tmp_path):
  folder = shutil.copytree(saved_model, tmp_path / 'run')
  shutil.copytree(folder / 'checkpoints' / '0', folder / 'checkpoints' / '²')
  assert weights.find_checkpoint(folder).name == '0'


def test_a_bug_is_no_trouble_with_a_checkpoint(tmp_path):
  def fail(name, error):
    exec('def fail(error):\n  raise error', place := {'__name__': name})
    with failures.loading(tmp_path):
      place['fail'](error)

  with pytest.raises(AttributeError):
    fail('siamkpn_jax.checkpoints.weights', AttributeError('a bug'))
  with pytest.raises(UserError, match='no arrays'):
    fail('siamkpn_jax.checkpoints.weights', ValueError('no arrays'))
  with pytest.raises(UserError, match='RESOURCE_EXHAUSTED'):
    fail('jaxlib.xla', RuntimeError('RESOURCE_EXHAUSTED'))


def test_only_what_passed_orbax_is_hushed(tmp_path, monkeypatch):
  """Another thread's errors are shown while a checkpoint is read."""
  shown = []
  monkeypatch.setattr(sys, 'unraisablehook', lambda dropped: shown.append(
      type(dropped.exc_value)))

  class Fails:
    def __del__(self):
      raise KeyError('of the program')

  orbax = {'__name__': 'orbax.checkpoint.reading'}
  exec('class Fails:\n  def __del__(self):\n    raise ValueError', orbax)
  loop = {'__name__': 'uvloop.loop'}
  exec('class Fails:\n  def __init__(self, text):\n    self.text = text\n'
       '  def __del__(self):\n    raise RuntimeError(self.text)', loop)
  with failures.loading(tmp_path):
    del [Fails()][0]
    del [orbax['Fails']()][0]
    del [loop['Fails']('Event loop is closed')][0]
    assert shown == [KeyError]
    del [loop['Fails']('of a server')][0]
  assert shown == [KeyError, RuntimeError]


def test_only_orbax_s_log_is_hushed(tmp_path, caplog):
  """Tasks of other libraries tell of their errors as ever."""
  text = 'Task exception was never retrieved\nfuture: <Task coro=<{} done at {}'
  tell = lambda name, path, text: logging.getLogger(name).handle(
      logging.LogRecord(name, logging.ERROR, path, 1, text, (), None))
  with failures.loading(tmp_path):
    tell('asyncio', 'events.py', text.format(
        'read()', '/lib/orbax/checkpoint/reading.py:1'))
    tell('asyncio', 'events.py', text.format('serve()', '/lib/server.py:1'))
    tell('absl', '/lib/orbax/checkpoint/reading.py', 'restoring')
    tell('absl', '/lib/other/reading.py', 'of another')
  assert [record.message.split()[-1] for record in caplog.records] == [
      '/lib/server.py:1', 'another']
