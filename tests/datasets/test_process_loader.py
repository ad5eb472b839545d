"""Batches of processes: equal to those of threads; failures; the end."""

import dataclasses
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from siamkpn_jax.config.settings import AugmentConfig, DataConfig
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets import catalog, process_loader
from siamkpn_jax.datasets.loader import Loader
from siamkpn_jax.datasets.process_loader import ProcessLoader

RENDERED = DataConfig(sets=('synthetic',), ratios=(1.0,), ranges=(9,),
                      workers=2, prefetch=1)
SIZES = {'seed': 3, 'batch_size': 6, 'template_patch': 35, 'search_patch': 71}


def open_loader(kind, config=RENDERED, **kwargs):
  return kind(catalog.open_sources(config, 3), config, AugmentConfig(jpeg=0.5),
              **(SIZES | kwargs))


def test_the_batches_of_threads():
  """From any step on; those of a part of the processes of a run, too."""
  for settings, start in (({}, 2), ({'process_index': 1, 'process_count': 2},
                                    0)):
    batches = [loader.batches(start) for loader in (
        open_loader(Loader, **settings), open_loader(ProcessLoader, **settings)
    )]
    # More than are ahead: all memory is used again.
    for threads, processes in itertools.islice(zip(*batches, strict=True), 5):
      assert threads.keys() == processes.keys()
      for name, value in threads.items():
        np.testing.assert_array_equal(value, processes[name])
        assert value.dtype == processes[name].dtype
    for iterator in batches:
      iterator.close()
  assert not multiprocessing.active_children()


def test_too_many_unreadable_images(tmp_path):
  """End the run, with the image's name."""
  tracks = {'video': {f'{k:02d}': {'000000': [10, 10, 60, 70]}
                      for k in range(40)}}
  (tmp_path / 'broken' / 'video').mkdir(parents=True)
  (tmp_path / 'broken' / 'train.json').write_text(json.dumps(tracks))
  for k in range(40):
    (tmp_path / 'broken' / 'video' / f'000000.{k:02d}.x.jpg').write_bytes(b'no')
  config = DataConfig(
      sets=('broken', 'synthetic'), ratios=(1.0, 3.0), ranges=(1, 1),
      root=str(tmp_path), workers=2, prefetch=1)
  with pytest.raises(UserError, match=r'broken.*the data set is damaged'):
    for _ in open_loader(ProcessLoader, config, batch_size=60).batches():
      pass
  assert not multiprocessing.active_children()


def test_a_killed_process_is_told():
  batches = open_loader(ProcessLoader).batches()
  next(batches)
  for child in multiprocessing.active_children():
    child.kill()
  with pytest.raises(UserError, match='reads pairs ended unexpectedly'):
    for _ in range(9):
      next(batches)


def test_signals_are_for_the_main_process():
  """A scheduler may send them to all; the state is saved before the end."""
  batches = open_loader(ProcessLoader).batches()
  next(batches)
  for child in multiprocessing.active_children():
    _wait_until_ready(child.pid)
    os.kill(child.pid, signal.SIGTERM)
    os.kill(child.pid, signal.SIGINT)
  for _ in range(4):
    next(batches)
  batches.close()
  assert not multiprocessing.active_children()


def _wait_until_ready(pid):
  """Until a process that may be starting ignores SIGTERM."""
  status, end = Path(f'/proc/{pid}/status'), time.monotonic() + 30
  if not status.exists():
    pytest.skip('needs /proc')
  ignored = lambda: int(status.read_text().split('SigIgn:')[1].split()[0], 16)
  while not ignored() >> (signal.SIGTERM - 1) & 1:
    assert time.monotonic() < end
    time.sleep(0.05)


def test_sources_that_a_process_cannot_open(tmp_path):
  """Are named; it does not pass for a process that was killed."""
  loader = open_loader(ProcessLoader)
  loader._config = dataclasses.replace(
      RENDERED, sets=('gone',), root=str(tmp_path))
  loader.read_pair = open_loader(Loader).read_pair
  with pytest.raises(UserError, match='data sets not found: gone'):
    next(loader.batches())


def test_little_shared_memory(monkeypatch, tmp_path):
  """Is told before a process would be killed for it."""
  monkeypatch.setattr(process_loader, '_MOUNT', tmp_path)
  monkeypatch.setattr(shutil, 'disk_usage',
                      lambda path: SimpleNamespace(free=2**16))
  with pytest.raises(UserError, match=r'0 MiB free; expected .*--shm-size'):
    next(open_loader(ProcessLoader).batches())
