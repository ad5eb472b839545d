"""What the host does to frames: pure, within its limits, off by default."""

import cv2
import numpy as np
import pytest

from siamkpn_jax.config.settings import AugmentConfig
from siamkpn_jax.core import geometry
from siamkpn_jax.datasets import degrade
from siamkpn_jax.datasets.loader import Loader
from tests.datasets.fakes import drawn
from tests.datasets.photographs import photograph
from tests.datasets.test_loader import assert_equal, take
from tests.optional import import_or_skip
from tests.training.tiny import BlobSource

ALL = AugmentConfig(**dict.fromkeys(degrade.STEPS, 1.0))
WH = np.float32([58, 70])
IMAGE = photograph(511, 511)
PATCH = 399


def run(config, seed=0, image=IMAGE, **kwargs):
  settings = {'occlude': True} | kwargs
  return degrade.degrade(
      degrade.stream(7, seed, 1), image, WH, PATCH, config, **settings)


def middle(image, side=PATCH):
  low = (len(image) - side) // 2
  return image[low:low + side, low:low + side]


def test_off_reads_and_changes_nothing():
  off = AugmentConfig()
  assert degrade.is_off(off) and degrade.read_patch(off, 143) == 143
  image, wh = run(off)
  np.testing.assert_array_equal(image, middle(IMAGE))
  assert wh is WH
  for patch in (1, 143, 399, 431, 511):
    read = degrade.read_patch(ALL, patch)
    assert read % 2 == 1 and patch <= read <= geometry.CONTEXT_SIZE


@pytest.mark.parametrize('name', degrade.STEPS)
def test_each_step_alone(name):
  """Changes pixels, not what it was given; the same for the same stream."""
  config = AugmentConfig(**{name: 1.0})
  image = IMAGE.copy()
  image[:90] = (10, 90, 60)  # a border
  before = image.copy()
  results = [run(config, seed, image) for seed in range(4)]
  np.testing.assert_array_equal(image, before)
  for seed, (out, wh) in enumerate(results):
    assert out.shape == (PATCH, PATCH, 3) and out.dtype == np.uint8
    assert wh.dtype == np.float32
    assert (wh == WH).all() == (name != 'warp')
    assert (out != middle(image)).any()
    np.testing.assert_array_equal(out, run(config, seed, image)[0])
  assert (results[0][0] != results[1][0]).any()


def test_probabilities_are_shares():
  config = AugmentConfig(jpeg=0.3)
  changed = [(run(config, seed)[0] != middle(IMAGE)).any()
             for seed in range(300)]
  assert 0.2 < np.mean(changed) < 0.4


def test_streams_differ():
  """By seed, pair and crop; and from the numbers that drew the pair."""
  draws = [degrade.stream(*key).random(4).tolist() for key in (
      (0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0))]
  pair = np.random.Generator(np.random.Philox(
      key=[0, 0], counter=[0, 0, 0, 0])).random(4).tolist()
  assert len({tuple(draw) for draw in [*draws, pair]}) == 5


def test_occlusion_leaves_most_of_the_target():
  """At most 40 % of the box, seldom none; strips from edge to edge too."""
  shares, reaches = [], 0
  image = np.full((PATCH, PATCH, 3), 77, np.uint8)
  image[::2] += 1  # a copy of another part may look the same
  noisy = np.random.default_rng(0).integers(0, 256, image.shape, np.uint8)
  low = np.round((PATCH - WH) / 2).astype(int)
  for k in range(300):
    out = degrade.occluded(np.random.default_rng(k), noisy, WH)
    changed = (out != noisy).any(axis=2)
    inside = changed[low[1]:low[1] + 70, low[0]:low[0] + 58]
    shares.append(inside.mean())
    reaches += changed[:, 0].any() or changed[0].any()
  assert max(shares) <= 0.42  # the box is between pixels
  assert max(shares) > 0.35 and np.mean(shares) > 0.1
  assert 100 < reaches < 200


def test_another_part_is_not_the_target():
  """What covers it is none of its own pixels."""
  image = np.zeros((PATCH, PATCH, 3), np.uint8)
  low = ((PATCH - WH) // 2).astype(int)
  image[low[1]:low[1] + 71, low[0]:low[0] + 59] = (0, 0, 255)
  count = (image[..., 2] == 255).sum()
  for k in range(200):
    out = degrade.occluded(np.random.default_rng(k), image, WH)
    assert (out == (0, 0, 255)).all(axis=2).sum() < count


def test_templates_are_never_covered():
  image, _ = run(AugmentConfig(occlusion=1.0), occlude=False)
  np.testing.assert_array_equal(image, middle(IMAGE))


def test_motion_blur_is_a_line():
  """Of the angle and length asked for, around the same place."""
  point = np.zeros((99, 99, 3), np.uint8)
  point[48:51, 48:51] = 255
  for angle, length in ((0, 18), (np.pi / 2, 18), (np.pi / 4, 30)):
    out = degrade.motion_blurred(point, angle, length)[..., 0].astype(float)
    assert out.shape == (99, 99)
    ys, xs = np.nonzero(out)
    weights = out[ys, xs] / out.sum()
    center = np.array([weights @ xs, weights @ ys])
    np.testing.assert_allclose(center, 49, atol=0.5)
    along = (xs - 49) * np.cos(angle) + (ys - 49) * np.sin(angle)
    across = (ys - 49) * np.cos(angle) - (xs - 49) * np.sin(angle)
    assert 0.6 * length < np.ptp(along) < 1.2 * length + 4
    assert np.ptp(across) < 6


def test_low_resolution_loses_detail():
  """Less of it remains, the mean stays."""
  noise = np.random.default_rng(0).integers(0, 256, IMAGE.shape, np.uint8)
  for seed in range(5):
    out, _ = run(AugmentConfig(low_resolution=1.0), seed, noise)
    assert out.std() < noise.std()
    np.testing.assert_allclose(out.mean(), noise.mean(), atol=2)
  assert degrade.shrunk(noise, 4).shape == (128, 128, 3)
  assert degrade.shrunk(noise, 1).shape == noise.shape


def test_jpeg_is_opencv_of_the_quality():
  error = {q: np.abs(degrade.recompressed(IMAGE, q).astype(float) -
                     IMAGE).mean() for q in (20, 50, 90)}
  assert error[20] > error[50] > error[90] > 0
  data = cv2.imencode('.jpg', IMAGE, [cv2.IMWRITE_JPEG_QUALITY, 35])[1]
  np.testing.assert_array_equal(
      degrade.recompressed(IMAGE, 35), cv2.imdecode(data, cv2.IMREAD_COLOR))


class Still(BlobSource):
  """One frame per track: template and search are cut from the same."""

  def num_frames(self, track):
    return 1


def loader(kind=Loader, source=None, **kwargs):
  settings = {'seed': 3, 'batch_size': 4, 'template_patch': 143,
              'search_patch': 399}
  config = drawn((1.0,), (3,), 0.3, 0.0, workers=kwargs.pop('workers', 2))
  return kind([source or BlobSource()], config, ALL, **(settings | kwargs))


@pytest.mark.parametrize('source', [BlobSource(), Still()])
def test_batches_depend_on_the_number_alone(source):
  """The same pixels by other threads; shapes as ever."""
  whole = take(loader(source=source), 3)
  for batch in whole:
    assert batch['template'].shape == (4, 143, 143, 3)
    assert batch['search'].shape == (4, 399, 399, 3)
    assert batch['search_wh'].dtype == np.float32
  assert_equal(take(loader(source=source, workers=5), 1, start=2), whole[2:])


def test_halves_of_a_still_differ():
  """Its template is not the middle of its search crop any more."""
  batch = take(loader(source=Still()), 1)[0]
  alike = [np.array_equal(z, middle(x, 143)) for z, x, negative in zip(
      batch['template'], batch['search'], batch['negative'], strict=True)
      if not negative]
  assert alike and not any(alike)


def test_by_tf_data():
  """Not a bit differs."""
  import_or_skip('tensorflow', 'needs pip install .[tf]')
  from siamkpn_jax.datasets.tf_loader import TfLoader
  assert_equal(take(loader(TfLoader), 3), take(loader(), 3))
