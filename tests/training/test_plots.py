"""The loss curves: written, complete, and smoothed as they say."""

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from siamkpn_jax.training.plots import running_mean, save_loss_curves


def rows(stages=2, count=30):
  rng = np.random.default_rng(0)
  out = []
  for n in range(count):
    row = {'step': 25 * (n + 1), 'loss': 5 * np.exp(-n / 9) + rng.random()}
    row |= {f'stage{s + 1}/{part}': float(rng.random() + s)
            for s in range(stages) for part in ('heatmap', 'offsets', 'size')}
    row |= {'learning_rate': 1e-3, 'grad_norm': 3.0, 'skipped': 0.0}
    out.append(row)
  return out


@pytest.fixture
def drawn(monkeypatch):
  figures, save = [], Figure.savefig
  monkeypatch.setattr(Figure, 'savefig', lambda self, *args, **kwargs: (
      figures.append(self), save(self, *args, **kwargs))[1])
  return figures


def test_png(tmp_path):
  path = tmp_path / 'loss.png'
  save_loss_curves(path, rows())
  image = cv2.imread(str(path))
  assert image.shape[0] > 300 and image.shape[1] > 1000
  quarter = image.shape[1] // 4
  for panel in range(4):  # colored curves in each
    part = image[:, panel * quarter:(panel + 1) * quarter].astype(int)
    assert ((part.max(-1) - part.min(-1)) > 60).sum() > 100


def test_svg(tmp_path):
  save_loss_curves(tmp_path / 'loss.svg', rows())
  assert '<svg' in (tmp_path / 'loss.svg').read_text()


def test_every_stage_of_every_part(tmp_path, drawn):
  log = rows(stages=3)
  save_loss_curves(tmp_path / 'loss.png', log)
  panels = drawn[0].axes
  assert [axes.get_title() for axes in panels] == [
      'loss', 'heatmap', 'offsets', 'size']
  assert [len(axes.lines) for axes in panels] == [2, 6, 6, 6]
  for axes in panels[1:]:
    texts = [t.get_text() for t in axes.get_legend().get_texts()]
    assert texts == ['stage1', 'stage2', 'stage3']
    assert axes.get_ylim()[0] == 0
  smooth, raw = panels[2].lines[2:4]  # offsets of the second stage
  values = [row['stage2/offsets'] for row in log]
  np.testing.assert_array_equal(raw.get_xdata(), [row['step'] for row in log])
  np.testing.assert_array_equal(raw.get_ydata(), values)
  np.testing.assert_allclose(
      smooth.get_ydata(),
      [np.mean(values[max(0, i - 8):i + 1]) for i in range(len(values))])


def test_names_are_those_of_the_losses(tmp_path, drawn):
  """The panels find the parts under the names that the losses give them."""
  import jax
  import jax.numpy as jnp

  from siamkpn_jax.config.settings import LossConfig, TargetsConfig
  from siamkpn_jax.models.head import Predictions
  from siamkpn_jax.training.losses import siamkpn_losses
  from siamkpn_jax.training.targets import make_targets

  def losses():
    maps = tuple(Predictions(*(jnp.zeros((1, 31, 31, c)) for c in (1, 2, 2)))
                 for _ in range(2))
    labels = make_targets(
        jnp.full((1, 4), 120.0), jnp.zeros(1, bool), 2, TargetsConfig())
    return siamkpn_losses(maps, labels, LossConfig())

  row = {name: float(v) for name, v in jax.jit(losses)().items()}
  save_loss_curves(tmp_path / 'loss.png', [row | {'step': n} for n in (1, 2)])
  assert [len(axes.lines) for axes in drawn[0].axes] == [2, 4, 4, 4]


@pytest.mark.parametrize('count', [1, 2])
def test_short_run(tmp_path, count):
  save_loss_curves(tmp_path / 'loss.png', rows(count=count))
  assert (tmp_path / 'loss.png').stat().st_size > 5000


def test_running_mean():
  """What is not finite has no mean, and spoils no other."""
  values = np.array([2, 4, np.nan, 6, np.inf, 8, 1])
  found = running_mean(values, 3, np.arange(7))
  np.testing.assert_array_equal(
      found, [2, 3, np.nan, 5, np.nan, 7, 4.5])
  np.testing.assert_array_equal(
      running_mean(values, 2, np.array([6, 1])), [4.5, 3])
