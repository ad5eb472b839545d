"""Batches: order, shards, failures, the end of the threads."""

import dataclasses
import itertools
import threading

import numpy as np
import pytest

from siamkpn_jax.config.settings import AugmentConfig
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.loader import Loader
from siamkpn_jax.datasets.sampler import sample
from tests.datasets.fakes import FakeSource, PartlyDamaged, drawn

CONFIG = drawn((2.0, 1.0), (3, 5), 0.3, 0.4)


def sources(**kwargs):
  return [FakeSource(0, [9, 4], **kwargs), FakeSource(1, [30] * 3, **kwargs)]


def make_loader(found=None, **kwargs):
  settings = {'seed': 3, 'batch_size': 6, 'template_patch': 5,
              'search_patch': 7}
  how = {name: kwargs.pop(name, 2) for name in ('workers', 'prefetch')}
  return Loader(found or sources(), dataclasses.replace(CONFIG, **how),
                AugmentConfig(), **(settings | kwargs))


def take(loader, count, start=0):
  batches = loader.batches(start)
  try:
    return list(itertools.islice(batches, count))
  finally:
    batches.close()


def assert_equal(a, b):
  for x, y in zip(a, b, strict=True):
    assert x.keys() == y.keys()
    for key, value in x.items():
      np.testing.assert_array_equal(value, y[key])


def halves(make, count):
  """The batches of two processes, put together."""
  parts = [take(make(process_index=k, process_count=2), count)
           for k in range(2)]
  return [{key: np.concatenate([a[key], b[key]]) for key in a}
          for a, b in zip(*parts, strict=True)]


def test_content():
  """Every pair is what the sampler says, in order."""
  found, batches = sources(), take(make_loader(), 3)
  for number, batch in enumerate(batches):
    types = {key: (value.dtype, value.shape) for key, value in batch.items()}
    assert types == {
        'template': (np.uint8, (6, 5, 5, 3)),
        'search': (np.uint8, (6, 7, 7, 3)),
        'template_wh': (np.float32, (6, 2)), 'search_wh': (np.float32, (6, 2)),
        'negative': (np.bool_, (6,)), 'gray': (np.bool_, (6,)),
        'index': (np.uint32, (6,))}
    for k in range(6):
      pair = sample(found, CONFIG, 3, 6 * number + k)
      assert batch['index'][k] == 6 * number + k
      assert batch['negative'][k] == pair.negative
      assert batch['gray'][k] == pair.gray
      for name, frame in (('template', pair.template),
                          ('search', pair.search)):
        where = (frame.source, frame.track, frame.position)
        assert tuple(batch[name][k, 2, 2]) == where
        assert tuple(batch[f'{name}_wh'][k]) == (where[1] + 1, where[2] + 1)


@pytest.mark.parametrize('settings', [
    {'workers': 1}, {'workers': 5}, {'workers': 0}, {'prefetch': 0},
    {'prefetch': 9}], ids=str)
def test_threads_change_nothing(settings):
  assert_equal(take(make_loader(**settings), 4), take(make_loader(), 4))


def test_resumes_anywhere():
  assert_equal(take(make_loader(), 2, start=3), take(make_loader(), 5)[3:])


def test_two_processes_are_the_halves_of_one():
  assert_equal(halves(make_loader, 3), take(make_loader(), 3))


def test_failure_reaches_the_loop():
  """The error itself, soon, and no thread stays."""
  found, caught = sources(fail_at=20), []

  def loop():
    try:
      for _ in make_loader(found).batches():
        pass
    except OSError as error:
      caught.append(error)

  thread = threading.Thread(target=loop, daemon=True)
  thread.start()
  thread.join(20)
  assert not thread.is_alive(), 'the loader hangs'
  assert 'this disk is broken' in str(caught[0])
  assert not any(t.is_alive() for s in found for t in s.threads)


def test_unreadable_images_are_replaced_and_named(capsys):
  """By pairs that depend on the index alone; the others stay."""
  make = lambda bad: [FakeSource(0, [9, 4]), PartlyDamaged(1, [30] * 3, bad)]
  whole = take(make_loader(make({})), 8)
  damaged = take(make_loader(make({7})), 8)
  assert_equal(take(make_loader(make({7}), workers=1), 8), damaged)
  assert_equal(take(make_loader(make({7})), 3, start=5), damaged[5:])
  same = [all((a[key][k] == b[key][k]).all() for key in a)
          for a, b in zip(whole, damaged, strict=True) for k in range(6)]
  assert 0 < same.count(False) < 10
  for batch in damaged:
    for name in ('template', 'search'):
      places = batch[name][:, 2, 2]
      assert not ((places[:, 0] == 1) & (places[:, 2] == 7)).any()
  err = capsys.readouterr().err
  assert '/7.jpg: this image cannot be read' in err
  assert 'replaced by another pair' in err


def test_a_damaged_set_ends_the_run():
  found = [PartlyDamaged(n, [30] * 3, range(5, 30)) for n in range(2)]
  with pytest.raises(UserError, match=r'unreadable images.*damaged'):
    take(make_loader(found), 50)


def test_close_stops_the_threads():
  """And reads no more than what was asked for."""
  found = sources()
  batches = make_loader(found).batches()
  next(batches)
  batches.close()
  reads = sum(s.reads for s in found)
  assert reads <= 2 * 6 * 4  # crops, pairs, one batch and those ahead
  threads = set.union(*(s.threads for s in found))
  assert threads and threading.current_thread() not in threads
  assert not any(t.is_alive() for t in threads)
  assert sum(s.reads for s in found) == reads
