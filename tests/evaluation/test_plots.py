"""Plots: what they show, that they need no display, and bad targets."""

import sys

import cv2
import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.report import curves

POINTS = {'success': 21, 'precision': 51, 'norm_precision': 51}


def saver(name):
  return lambda path, drawn: curves.save_plot(path, name, drawn, 'title')


@pytest.mark.parametrize('name', POINTS)
def test_plot_is_written(tmp_path, name):
  save, count = saver(name), POINTS[name]
  path = tmp_path / 'new' / f'{name}.png'
  before = sys.modules.get('matplotlib.pyplot')
  save(path, {f't{i}': np.linspace(1, i / 10, count) for i in range(9)})
  image = cv2.imread(str(path))
  assert image.shape == (675, 900, 3)
  assert 0.5 < (image > 250).mean() < 0.99  # something on white
  assert sys.modules.get('matplotlib.pyplot') is before


@pytest.mark.parametrize('name', POINTS)
def test_legend_is_sorted_best_first(tmp_path, name):
  save, count = saver(name), POINTS[name]
  save(tmp_path / 'a.svg', {'low': np.full(count, 0.25),
                            'top': np.full(count, 0.75),
                            'mid': np.full(count, 0.5)})
  text = (tmp_path / 'a.svg').read_text()
  places = [text.index(label) for label in
            ('top [0.750]', 'mid [0.500]', 'low [0.250]')]
  assert places == sorted(places)


@pytest.mark.parametrize('name', POINTS)
def test_wrong_input(tmp_path, name):
  save, count = saver(name), POINTS[name]
  with pytest.raises(ValueError, match='no curves'):
    save(tmp_path / 'a.png', {})
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot be written'):
    save(tmp_path / 'file' / 'a.png', {'t': np.ones(count)})
  (tmp_path / 'b.png').mkdir()
  with pytest.raises(UserError, match='cannot be written'):
    save(tmp_path / 'b.png', {'t': np.ones(count)})


@pytest.mark.parametrize('name', POINTS)
def test_labels_are_shown_as_they_are(tmp_path, name):
  """No formula is read, nothing hidden, no plot squeezed."""
  save, count = saver(name), POINTS[name]
  save(tmp_path / 'a.svg', {label: np.ones(count) for label in
                            ('_$x^2$', '$\\frac{$', 'long' * 99)})
  text = (tmp_path / 'a.svg').read_text()
  assert '_$x^2$ [1.000]' in text
  assert '$\\frac{$ [1.000]' in text
  assert 'long' * 9 + 'lon… [1.000]' in text
