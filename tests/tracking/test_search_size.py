"""Search crops of other sizes than 255 pixels."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from siamkpn_jax.checkpoints.packaged import packaged_weights
from siamkpn_jax.config.network import TrackingConfig
from siamkpn_jax.config.settings import Config
from siamkpn_jax.core import geometry
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.head import Predictions
from siamkpn_jax.tracking.batch_tracker import BatchTracker
from siamkpn_jax.tracking.decode import decode
from siamkpn_jax.tracking.load import load_tracker
from siamkpn_jax.tracking.long_term import Memory, Rule, step
from siamkpn_jax.tracking.onnx import decode as onnx_decode
from siamkpn_jax.tracking.onnx import kept
from tests.optional import needs_onnx
from tests.tracking.small import (
  CONFIG,
  new_tracker,
  small_network,
  video,
)

SIZES = [127, 207, 239, 351]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('cell', [(0, 0), (3, 7), (-1, 4)])
def test_a_peak_is_where_its_cell_lies(size, cell):
  """In both decodings: 8 crop pixels from cell to cell, around the middle."""
  n = geometry.map_size(size)
  i, j = (index % n for index in cell)
  config = dataclasses.replace(CONFIG, window_influence=0.0, search_size=size)
  heatmap = np.full((n, n, 1), -8, np.float32)
  heatmap[i, j] = 8
  offsets = np.zeros((n, n, 2), np.float32)
  sizes = np.full((n, n, 2), 40, np.float32)
  last, scale = np.float32([20, 20]), np.float32(2)
  expected = 8 * np.array([j - (n - 1) / 2, i - (n - 1) / 2]) / 2
  found = decode(Predictions(*map(jnp.asarray, (heatmap, offsets, sizes))),
                 last, scale, config.hyperparameters, config.rule)
  np.testing.assert_allclose(found.shift, expected, atol=1e-5)
  flat = [m.reshape(n * n, -1).T for m in (heatmap, offsets, sizes)]
  shift, _, _ = onnx_decode.decode(flat[0][0], *flat[1:], last, 2.0, config)
  np.testing.assert_allclose(shift, expected, atol=1e-5)


@pytest.mark.parametrize('size', SIZES)
def test_maps_have_a_cell_for_8_pixels(size):
  model, variables = small_network()
  n = geometry.map_size(size)
  z = np.zeros((1, 127, 127, 3), np.float32)
  x = np.zeros((1, size, size, 3), np.float32)
  maps = jax.eval_shape(
      lambda: model.apply(variables, z, x, train=False))[-1]
  assert maps.heatmap.shape == (1, n, n, 1)
  assert 8 * n <= size < 8 * (n + 1) and n % 2


def test_the_network_sees_such_a_crop():
  """A tracker alone and one of a batch, of a ResNet."""
  frames, box = video()
  config = dataclasses.replace(CONFIG, search_size=207)
  alone = new_tracker(config)
  alone.init(frames[0], box)
  assert alone.heatmaps.shape == (0, 25, 25)
  batch = BatchTracker(*small_network(), config, slots=3)
  target = batch.add(frames[0], box)
  usual = new_tracker()
  usual.init(frames[0], box)
  for frame in frames[1:4]:
    _, got = alone.update(frame)
    np.testing.assert_allclose(batch.update(frame)[target].box_xywh, got,
                               atol=1e-3)
    assert alone.search_crop.shape == (207, 207, 3)
    assert alone.heatmaps.shape == (1, 25, 25)
    assert batch.heatmaps(target).shape == (1, 25, 25)
    usual.update(frame)
  # The first crop is the middle of the usual one.
  alone.init(frames[0], box)
  usual.init(frames[0], box)
  alone.update(frames[1])
  usual.update(frames[1])
  part = usual.search_crop[24:-24, 24:-24].astype(int)
  assert np.abs(part - alone.search_crop).mean() < 3


@pytest.mark.skipif(not packaged_weights(), reason='no packaged weights')
def test_engines_agree():
  """And each size is exported, and kept, for itself."""
  needs_onnx()
  frames, box = video()
  for size in (207, 175, 207):
    boxes = []
    for engine in ('jax', 'onnxruntime'):
      tracker = load_tracker(engine=engine, search_size=size)
      tracker.init(frames[0], box)
      boxes.append([tracker.update(frame)[1] for frame in frames[1:4]])
      assert tracker.search_crop.shape == (size, size, 3)
    np.testing.assert_allclose(boxes[0], boxes[1], atol=0.01)


@pytest.mark.parametrize('size', [126, 200, 256, 111, 527, 0, -255])
def test_sizes_without_a_middle_cell_are_refused(size):
  with pytest.raises(UserError, match=r'search_size.*127, 143'):
    TrackingConfig(search_size=size)


def test_candidates_fit_into_the_map():
  TrackingConfig(search_size=127, topk_max=225)
  with pytest.raises(UserError, match='topk_max.*225.*search_size 127'):
    TrackingConfig(search_size=127, topk_max=226)


def test_a_state_belongs_to_its_size():
  frames, box = video()
  one = new_tracker(dataclasses.replace(CONFIG, search_size=207),
                    weights='small')
  one.init(frames[0], box)
  with pytest.raises(UserError, match='search_size is 207, not 255'):
    new_tracker(weights='small').restore(one.state())


def test_a_lost_target_is_searched_for_in_such_regions():
  """Smaller ones need more places to cover the frame."""
  size = np.float32([40, 40])
  center = np.float32([160, 120])
  places = {}
  for side in (255, 127):
    rule = Rule(patience=1, search_size=side)
    memory, seen = Memory(center, size), set()
    for _ in range(120):
      memory, _, _ = step(memory, center, size, 0.0, (320, 240), rule)
      if memory.zoom == 1 and memory.place is not None:
        seen.add(tuple(memory.place))
    places[side] = len(seen)
  assert places[127] > 2 * places[255] > 4


@pytest.mark.parametrize('engine', ['jax', 'onnxruntime'])
def test_sizes_that_are_no_numbers(engine):
  """They are refused before they name anything in the user's cache."""
  if engine == 'onnxruntime':
    needs_onnx()
  for size in ('207', '\udc80', 10**5000, 207.0, True, None, [207],
               np.int64(207)):
    with pytest.raises(UserError, match='search_size is .*expected'):
      load_tracker(engine=engine, search_size=size)


def test_candidates_that_are_stored_do_not_matter_to_an_export(
    tmp_path, monkeypatch):
  """They may be too many for the size, where others are given with it."""
  sizes = []
  monkeypatch.setattr(kept, 'serialize', lambda model, variables, size:
                      sizes.append(size))
  config = Config().updated(tracking={'topk_max': 961})
  kept.export_and_keep(tmp_path, None, config, None, None, search_size=127)
  kept.export_and_keep(tmp_path, None, config, None, None)
  assert sizes == [127, 255]
