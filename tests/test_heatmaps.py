"""The figure of the stages' heatmaps: written, and marks where they belong."""

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from siamkpn_jax.experiments.heatmaps import FigureRow, save_heatmap_figure


def row(title='car 7', stages=2, distractors=((40.0, 200.0), (90.0, 30.0))):
  rng = np.random.default_rng(0)
  crop = rng.integers(0, 256, (255, 255, 3), dtype=np.uint8)
  heatmaps = rng.uniform(0, 0.3, (stages, 31, 31)).astype(np.float32)
  heatmaps[:, 5, 20] = 0.9
  return FigureRow(title, crop, heatmaps, np.array([167.0, 47.0]),
                   np.array(distractors).reshape(-1, 2))


@pytest.fixture
def drawn(monkeypatch):
  """The figures that were saved, still alive."""
  figures, save = [], Figure.savefig
  monkeypatch.setattr(Figure, 'savefig', lambda self, *args, **kwargs: (
      figures.append(self), save(self, *args, **kwargs))[1])
  return figures


def test_file_is_a_picture(tmp_path):
  path = tmp_path / 'figure.png'
  save_heatmap_figure(path, [row(), row('second')])
  image = cv2.imread(str(path))
  assert image.shape[0] > 400 and image.shape[1] > 600
  # Not blank: each of the two rows and three columns holds colors.
  height, width = (n // k for n, k in zip(image.shape, (2, 3), strict=False))
  for i in range(2):
    for column in range(3):
      part = image[i * height:(i + 1) * height,
                   column * width:(column + 1) * width]
      assert part.std() > 20


def test_marks_and_titles(tmp_path, drawn):
  one = row()
  save_heatmap_figure(tmp_path / 'figure.png', [one])
  (figure,) = drawn
  panels = figure.axes
  assert [axes.get_title() for axes in panels] == [
      'car 7', 'stage 1, max 0.90', 'stage 2, max 0.90']
  for axes in panels:
    target, others = axes.lines
    assert (target.get_marker(), others.get_marker()) == ('+', 'x')
    np.testing.assert_array_equal(target.get_xydata(), [one.target])
    np.testing.assert_array_equal(others.get_xydata(), one.distractors)
    assert axes.get_xlim() == (-0.5, 254.5)
    assert axes.get_ylim() == (254.5, -0.5)  # y downwards
    # BGR is shown as RGB, on its own pixels.
    shown = axes.images[0]
    np.testing.assert_array_equal(
        shown.get_array(), one.search_crop[..., ::-1])


def test_heatmap_lies_on_its_cells(tmp_path, drawn):
  """Cell (i, j) is drawn around crop pixel (7 + 8 j, 7 + 8 i), SPEC 1."""
  save_heatmap_figure(tmp_path / 'figure.png', [row(stages=1)])
  image = drawn[0].axes[1].images[1]
  left, right, bottom, top = image.get_extent()
  values = image.get_array()
  i, j = np.unravel_index(np.argmax(values), values.shape)
  x = left + (j + 0.5) * (right - left) / 31
  y = top + (i + 0.5) * (bottom - top) / 31
  assert image.origin == 'upper'
  assert (x, y) == (7 + 8 * 20, 7 + 8 * 5)


def test_no_distractors_and_dark_heatmap(tmp_path, drawn):
  dark = FigureRow('dark', np.zeros((255, 255, 3), np.uint8),
                   np.zeros((3, 31, 31), np.float32), np.array([127.0, 127.0]),
                   np.zeros((0, 2)))
  save_heatmap_figure(tmp_path / 'figure.png', [dark])
  assert [len(axes.lines) for axes in drawn[0].axes] == [1] * 4
  assert (tmp_path / 'figure.png').stat().st_size > 5000
