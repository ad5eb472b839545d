"""What reads files that the program itself has stored."""

import contextlib
import functools
import json
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.checkpoints import checksums, content, weights, weights_file
from siamkpn_jax.config.files import load_config
from siamkpn_jax.config.overrides import parse_tracking, with_changes
from siamkpn_jax.config.settings import (
  Config,
  config_differences,
  config_from_dict,
  to_plain,
)
from siamkpn_jax.conversion.files import read_wrapped_state
from siamkpn_jax.core import user_cache
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats import LAYOUTS
from siamkpn_jax.datasets.index import CACHE_NAME, load_index
from siamkpn_jax.datasets.packed_source import INDEX_NAME, PackedIndex
from siamkpn_jax.datasets.tracks import Dropped
from siamkpn_jax.evaluation.run import evaluation, jobs
from siamkpn_jax.evaluation.trax.trackers_ini import write_entry
from siamkpn_jax.experiments import ablation
from siamkpn_jax.training import report
from siamkpn_jax.training.metrics import best_validation, read_log
from siamkpn_jax.tuning import trial_log
from tests.hostile.content import Arrays, Files, Tensors
from tests.hostile.readers import jpeg, lines_of
from tests.tracking.small import SMALL


@functools.cache
def small_config() -> Config:
  """Of a network that is quick to make."""
  return Config().updated(model=SMALL)


@functools.cache
def _folder() -> Path:
  """For what is made once."""
  return Path(tempfile.mkdtemp(prefix='hostile_made_'))


@functools.cache
def _variables() -> dict[str, Any]:
  import jax

  from siamkpn_jax.models.siamkpn import abstract_variables, build_model
  return jax.tree.map(lambda x: np.ones(x.shape, x.dtype),
                      abstract_variables(build_model(small_config().model)))


@functools.cache
def weights_files() -> Files:
  """A file of weights."""
  path = _folder() / 'w.safetensors'
  weights_file.save_weights_file(path, small_config(), _variables(),
                                 {'step': '7'})
  data = path.read_bytes()
  size = int.from_bytes(data[:8], 'little')
  return {'w.safetensors': Tensors(json.loads(data[8:8 + size]),
                                   data[8 + size:])}


def metadata(folder: Path) -> None:
  """Reads what a file of weights says of itself."""
  path = folder / 'w.safetensors'
  found = weights_file.read_metadata(path)
  json.dumps(weights_file.origin(found))
  weights_file.stored_config(path, found['config'])


def config_files() -> Files:
  """The configuration of a file of weights, alone."""
  return {'config.json': {
      'config': to_plain(small_config()), 'git_revision': 'abc'}}


def configs(folder: Path) -> None:
  """Reads a configuration as it is in the metadata of weights."""
  try:
    plain = json.loads((folder / 'config.json').read_bytes())['config']
  except (OSError, ValueError, LookupError, TypeError, RecursionError):
    return
  config = {'format': 'siamkpn_jax', 'checksum': '', 'config':
            json.dumps(plain)}
  path = folder / 'w.safetensors'
  path.write_bytes(_header({'__metadata__': config}))
  found = weights_file.read_metadata(path)
  typed = weights_file.stored_config(path, found['config'])
  config_differences(found['config'])
  json.dumps(to_plain(typed), allow_nan=False)


def _header(header: Any) -> bytes:
  text = json.dumps(header).encode()
  return len(text).to_bytes(8, 'little') + text


def weights_of_file(folder: Path) -> None:
  """Loads a file of weights, unless it asks for another network."""
  path = folder / 'w.safetensors'
  found = weights_file.read_metadata(path)
  if weights_file.stored_config(path, found['config']
                                ).model == small_config().model:
    _, variables = weights_file.load_weights_file(path)
    assert weights_file.fingerprint(variables) == weights_file.fingerprint(
        _variables()), 'other weights than were written'


@functools.cache
def checkpoint_files() -> Files:
  """A checkpoint of Orbax."""
  root = _folder() / 'run'
  weights.save_model(root, small_config(), _variables())
  found: Files = {}
  for path in sorted(root.rglob('*')):
    if path.is_file():
      name, data = path.relative_to(root).as_posix(), path.read_bytes()
      try:
        found[name] = json.loads(data)
      except ValueError:
        found[name] = data
  return found


def checkpoint(folder: Path) -> None:
  """Loads a checkpoint, unless it asks for another network."""
  path = weights.find_checkpoint(folder)
  content.content_digest(folder)
  stored = weights_file.stored_config(path, weights.read_config(path))
  json.dumps(weights.read_origin(folder))
  weights.has_training_state(path)
  if stored.model == small_config().model:
    weights.load_model(folder)


def checksum_files() -> Files:
  """A list of checksums and what it is of."""
  data = b'abc' * 9
  return {'0/model/d/abc': data, 'victim': b'x', '0/checksums.json': {
      'model/d/abc': f'{zlib.crc32(data):08x} {len(data)}'}}


def checksum_list(folder: Path) -> None:
  """Compares files with a list, which may name none outside."""
  opened = []
  name = checksums._checksum
  def watched(path):
    opened.append(path)
    return name(path)
  checksums._checksum = watched  # type: ignore[assignment]
  try:
    assert isinstance(checksums.damage(folder / '0'), str)
  finally:
    checksums._checksum = name
  home = os.path.realpath(folder / '0')
  for path in opened:
    with contextlib.suppress(ValueError):  # a NUL
      assert os.path.realpath(path).startswith(f'{home}/'), path


def own_data() -> Files:
  """A training set of one's own."""
  return {'{name}/groundtruth.txt': '1,2,3,4\n2,3,4,5\n3,4,5,6\n',
          '{name}/absence.label': '0\n0\n1\n',
          **{f'{{name}}/{k}.jpg': jpeg() for k in (1, 2, 3)}}


@functools.cache
def cached_files() -> Files:
  """The same with the cache of its index."""
  folder = _folder() / 'own'
  from tests.hostile.damage import named
  from tests.hostile.oracle import write
  files = own_data()
  write(folder, named(files, 'seq-1'))
  for path in folder.rglob('*'):
    os.utime(path, ns=(10**18, 10**18))
  load_index('folder', folder, LAYOUTS['folder'])
  (cache,) = folder.glob(f'{CACHE_NAME}*')
  with np.load(cache) as arrays:
    return {**files, cache.name: Arrays(dict(arrays))}


def cached_index(folder: Path) -> None:
  """Reads a set with a cache, which is made to look as if it were of it."""
  from siamkpn_jax.datasets import index
  from tests.hostile.readers import cached_index as read
  head: dict[str, Any] = {}
  for name in folder.glob(f'{CACHE_NAME}*'):
    with contextlib.suppress(Exception), np.load(name) as arrays:
      head = dict(json.loads(str(arrays['head'])))
  fingerprint, changes = index._fingerprint, index._changes
  index._fingerprint = lambda *_: head.get('mark')  # type: ignore
  index._changes = lambda *_: head.get('changes')  # type: ignore
  try:
    read(folder)
  finally:
    index._fingerprint, index._changes = fingerprint, changes


@functools.cache
def packed_files() -> Files:
  """A packed set of three crops."""
  crop = jpeg(511)
  count = 3
  index = PackedIndex(
      starts=np.array([0, 1, 3]), groups=np.array([4, 4]),
      files=np.array(['p/a']),
      sizes=np.array([count * len(crop)]), file_ids=np.zeros(count, np.int32),
      offsets=np.arange(count) * len(crop),
      lengths=np.full(count, len(crop), np.int32),
      checksums=np.full(count, zlib.crc32(crop), np.uint32),
      wh=np.full((count, 2), 63.5, np.float32))
  dropped = Dropped()
  dropped.add('frames: target absent', 'v/3.jpg', 7)
  import io
  with np.load(io.BytesIO(index.to_bytes(dropped))) as arrays:
    return {INDEX_NAME: Arrays(dict(arrays)), 'p/a': crop * count}


@functools.cache
def state_files() -> Files:
  """State dicts in two formats."""
  from safetensors.numpy import save
  data = save({'conv.weight': np.ones((2, 3), np.float32)}, {'a': 'b'})
  size = int.from_bytes(data[:8], 'little')
  return {'a.npz': Arrays({'conv.weight': np.ones((2, 3), np.float32)}),
          'a.safetensors': Tensors(json.loads(data[8:8 + size]),
                                   data[8 + size:])}


def states(folder: Path) -> None:
  """Reads what `convert` reads."""
  for path in sorted(folder.iterdir()):
    with contextlib.suppress(UserError):
      read_wrapped_state(path)


@functools.cache
def torch_files() -> Files:
  """State dicts of PyTorch, of today and of old; nothing without it."""
  import io
  try:
    import torch
  except ImportError:
    return {'a.pth': b'PK\3\4'}
  files: Files = {}
  for name, zipped in (('a.pth', True), ('old.pth', False)):
    buffer = io.BytesIO()
    torch.save({'state_dict': {'conv.weight': torch.ones(2, 3)}}, buffer,
               _use_new_zipfile_serialization=zipped)
    files[name] = buffer.getvalue()
  return files


def settings_files() -> Files:
  """What an evaluation keeps of itself."""
  return {'settings.json': {'benchmark': 'otb', 'zero_based': [],
                            'tracking': {'penalty_k': 0.1}, 'weights': 'ab'},
          'summary.json': {'frames_per_second': 7.5, 'success_auc': 0.5,
                           'hardware': 'cpu'},
          'times.txt': '\n\n0.1\n0.2\n'}


def settings(folder: Path) -> None:
  """Goes on with an evaluation."""
  import types
  json.dumps(evaluation._earlier(
      folder / 'summary.json', {'frames_per_second': 1.0, 'hardware': 'x'}))
  job: Any = types.SimpleNamespace(time_path=folder / 'times.txt',
                                   path=folder / 'none.txt')
  with contextlib.suppress(UserError):
    speed = jobs.update_speed([job])
    assert speed is None or (np.isfinite(speed) and speed > 0)
  jobs.check_settings(folder, {
      'benchmark': 'otb', 'zero_based': [], 'tracking': {'penalty_k': 0.1},
      'weights': 'ab'}, [])


def run_files() -> Files:
  """What a training keeps of itself."""
  from tests.hostile.content import Lines
  return {'config.json': {**to_plain(small_config()), 'git_revision': 'abc'},
          'metrics.jsonl': Lines([
              {'step': 10, 'loss': 1.5, 'stage1/heatmap': 0.5, 'skipped': 0},
              {'step': 20, 'loss': 1.0, 'learning_rate': 0.1},
              {'step': 20, 'val_success_auc': 0.5, 'val_precision_20': 0.6}])}


def metrics_log(folder: Path) -> None:
  """Reads the log of a run."""
  rows = read_log(folder / 'metrics.jsonl')
  best_validation(rows)
  report.read_curves(rows)
  config = report._read_config(folder)
  ''.join([*report._state(config, rows, 0.0), *report._settings(config)])


def run_report(folder: Path) -> None:
  """Writes the page of a run."""
  report.write_report(folder)


def result_files() -> Files:
  """What an ablation keeps of a training."""
  return {'result.json': {
      'config': to_plain(small_config()), 'videos': 0,
      'result': {'success_auc': 0.5, 'precision_20': 0.5, 'skipped': 0}}}


def ablation_result(folder: Path) -> None:
  """Goes on with an ablation."""
  found = ablation._finished(folder, small_config(), [])
  if found is not None:
    ablation.make_table({'baseline': {0: found}})


SEARCH = {'sequences': ['a', 'b'], 'strategy': {'name': 'grid', 'seed': 0}}


@functools.cache
def trial_files() -> Files:
  """The log of a search with two trials."""
  from tests.hostile.content import Lines
  path = _folder() / 'trials.jsonl'
  study = trial_log.open_study(path, SEARCH, trial_log.pruner(3.0, 2))
  for value in (0.1, 0.2):
    study.enqueue_trial({'checkpoint': 0, 'penalty_k': value,
                         'window_influence': 0.2, 'size_lr': 0.3})
    trial = study.ask()
    trial.suggest_categorical('checkpoint', [0])
    for name in trial_log.NAMES:
      trial.suggest_float(name, 0, 0.99, step=0.01)
    trial.report(value, 0)
    study.tell(trial, value)
  return {'trials.jsonl': Lines(map(json.loads, path.read_text().splitlines()))}


def trials(folder: Path) -> None:
  """Goes on with a search."""
  from siamkpn_jax.tuning.search import ranking
  study = trial_log.open_study(folder / 'trials.jsonl', SEARCH,
                               trial_log.pruner(3.0, 2))
  for trial in ranking(study.get_trials(deepcopy=False)):
    trial_log.Candidate.of(trial)


def ini_files() -> Files:
  """A trackers.ini of the vot-toolkit."""
  return {'trackers.ini': '[A]\nlabel = A\nprotocol = trax\ncommand = x %%y\n\n'
          '# comment\n[B]\nlabel = B\n'}


def trackers_ini(folder: Path) -> None:
  """Adds a tracker."""
  write_entry(folder / 'trackers.ini', 'B', Path('w.safetensors'))


def cache_files() -> Files:
  """An entry of the user's cache."""
  head = user_cache._head({'config': b'{}', 'b': b'abc'})
  return {'siamkpn_jax/user_cache/x/key': json.dumps(head) + '\n{}abc'}


def user_entry(folder: Path) -> None:
  """Reads an entry of the user's cache."""
  before = os.environ.get(user_cache.VARIABLE)
  os.environ[user_cache.VARIABLE] = str(folder)
  try:
    found = user_cache.read_entry('x', 'key')
  finally:
    if before is None:
      del os.environ[user_cache.VARIABLE]
    else:
      os.environ[user_cache.VARIABLE] = before
  assert found is None or all(isinstance(v, bytes) for v in found.values())


def override_files() -> Files:
  """Overrides, one a line, of each kind."""
  return {'config.txt': 'model.num_stages=2\ntrain.epochs=3\n'
          "data.sets=('got10k',)\nseed=1\ntracking.penalty_k=0.5\n"
          'train.remat=True\nmodel.weights=x',
          'changes.txt': 'model.num_stages=2\nloss.size_weight=0.5,seed.x=1\n'
          "model.levels=('layer2',)\ntracking.penalty_k=0.5",
          'tracking.txt': 'penalty_k=0.1\nsize_lr=0.5,window_influence=0.3'}


def overrides(folder: Path) -> None:
  """Applies the lines of the files."""
  with contextlib.suppress(UserError):  # together: a file is read for it
    load_config('kpn3s', lines_of(folder / 'config.txt'))
  for name, apply in (
      ('changes.txt', lambda line: with_changes(Config(), line)),
      ('tracking.txt', lambda line: Config().updated(
          tracking=parse_tracking(line)))):
    for line in lines_of(folder / name):
      with contextlib.suppress(UserError):
        apply(line)


def python_files() -> Files:
  """A configuration file."""
  return {'c.py': (
      'from siamkpn_jax.config.files import default_config\n\n\n'
      'def get_config(arg=""):\n  config = default_config()\n'
      '  config.model.num_stages = 2\n  config.train.epochs = 3\n'
      '  config.data.root = "x"\n  config.tracking.size_lr = 0.5\n'
      '  return config\n')}


def python_config(folder: Path) -> None:
  """Runs a configuration file, which is a program of the user's."""
  load_config(str(folder / 'c.py'))


def plain_config(folder: Path) -> None:
  """Reads a plain configuration, as the API does."""
  try:
    plain = json.loads((folder / 'config.json').read_bytes())
  except (OSError, ValueError, RecursionError):
    return
  if isinstance(plain, dict) and isinstance(plain.get('config'), dict):
    config_from_dict(plain['config'])
