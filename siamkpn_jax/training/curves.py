"""Curves of a log as SVG for a page: small, colored by the page's style."""

import dataclasses
import html
from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator

from siamkpn_jax.core.html import COLORS
from siamkpn_jax.training.plots import SMOOTHING, running_mean

_POINTS = 1000  # drawn of a curve
_WIDTH, _HEIGHT = 360, 190  # units; about pixels on a phone
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 346, 8, 168  # of the axes
_ROUND = (1, 2, 2.5, 5, 10)  # distances of ticks, times a power of ten
_DOTS = 30  # so many values at most are marked by dots
_LOG_FROM = 30  # largest value over the median: from here on a log scale


@dataclasses.dataclass(frozen=True)
class Curve:
  """One curve.

  Attributes:
    steps: [n] ascending.
    values: [n]; where one is not finite the curve has a gap.
  """

  steps: np.ndarray
  values: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Axis:
  """A range of values, its ticks, and where they are drawn."""

  low: float
  high: float
  ticks: np.ndarray
  ends: tuple[float, float]
  log: bool = False

  def __call__(self, values: np.ndarray) -> np.ndarray:
    """Values -> units of the drawing; NaN where they are not finite."""
    values = np.where(np.isfinite(values), values, np.nan)
    low, high = self.low, self.high
    if self.log:
      values, low, high = np.log10(values), np.log10(low), np.log10(high)
    start, end = self.ends
    return start + (values - low) / (high - low) * (end - start)


def draw(title: str, curves: Sequence[Curve], last_step: float, *,
         smooth: bool) -> str:
  """The curves over 0 to `last_step` as an <svg> element.

  Args:
    title: read out in place of the picture; any text.
    curves: at least one; the n-th has class c<n>.
    last_step: right end of the axis, positive.
    smooth: draw the running mean, and the values faintly.
  """
  locator = MaxNLocator(4, integer=True, steps=_ROUND)
  xs = np.asarray(locator.tick_values(0, last_step))
  x_axis = _Axis(0, last_step, xs[xs <= last_step], (_LEFT, _RIGHT))
  y_axis = _value_axis(np.concatenate([c.values for c in curves]))
  parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
           f'aria-label="{html.escape(title)}">', _grid(x_axis, y_axis)]
  for k, curve in enumerate(curves):
    kept = thin(curve.values)
    x = x_axis(curve.steps[kept])
    lines = {'line': curve.values[kept]}
    if smooth:
      window = max(SMOOTHING, len(curve.values) // 50)
      lines = {'faint': curve.values[kept],
               'line': running_mean(curve.values, window, kept)}
    color = f'c{k % len(COLORS)}'
    parts += [f'<path class="{kind} {color}" d="{_path(x, y_axis(y))}"/>'
              for kind, y in lines.items()]
    if len(kept) <= _DOTS:
      parts.append(f'<path class="dots {color}" '
                   f'd="{_dots(x, y_axis(curve.values[kept]))}"/>')
  return '\n'.join([*parts, '</svg>'])


def thin(values: np.ndarray) -> np.ndarray:
  """Indices of at most `_POINTS` values that draw like all [n] of them.

  Of each stretch the least and the largest value are kept, and one that is not
  finite if there is any; the last of all, too.
  """
  if len(values) <= _POINTS:
    return np.arange(len(values))
  kept = [len(values) - 1]
  for stretch in np.array_split(np.arange(len(values)), _POINTS // 3):
    part = values[stretch]
    finite = np.isfinite(part)
    kept += [stretch[np.where(finite, part, np.inf).argmin()],
             stretch[np.where(finite, part, -np.inf).argmax()],
             stretch[finite.argmin()]]
  return np.unique(kept)


def _value_axis(values: np.ndarray) -> _Axis:
  """From zero; a log scale where a few values are far above the others."""
  values = values[np.isfinite(values)]
  low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
  if low > 0 and high > _LOG_FROM * np.median(values):
    ticks = np.asarray(LogLocator(numticks=5).tick_values(low, high))
    ticks = ticks[np.searchsorted(ticks, low, 'right') - 1:
                  np.searchsorted(ticks, high) + 1]
    return _Axis(ticks[0], ticks[-1], ticks, (_BOTTOM, _TOP), log=True)
  low, high = min(low, 0.0), max(high, 0.0)
  if low == high:
    high = 1.0
  ticks = np.asarray(MaxNLocator(4, steps=_ROUND).tick_values(low, high))
  return _Axis(ticks[0], ticks[-1], ticks, (_BOTTOM, _TOP))


def _grid(x_axis: _Axis, y_axis: _Axis) -> str:
  """Lines and numbers of both axes."""
  steps = EngFormatter(sep='')  # 20000 -> 20k
  xs, ys = x_axis(x_axis.ticks), y_axis(y_axis.ticks)
  lines = [f'M{x:.1f},{_TOP}V{_BOTTOM}' for x in xs]
  lines += [f'M{_LEFT},{y:.1f}H{_RIGHT}' for y in ys]
  texts = [f'<text class="x" x="{x:.1f}" y="{_HEIGHT - 6}">{steps(tick)}</text>'
           for x, tick in zip(xs, x_axis.ticks, strict=True)]
  texts += [f'<text class="y" x="{_LEFT - 5}" y="{y + 4:.1f}">{tick:.5g}</text>'
            for y, tick in zip(ys, y_axis.ticks, strict=True)]
  return '\n'.join([f'<path class="grid" d="{"".join(lines)}"/>', *texts])


def _path(x: np.ndarray, y: np.ndarray) -> str:
  """Line through the points; a value that is not finite interrupts it."""
  words, pen = [], 'M'
  for a, b in zip(x, y, strict=True):
    if np.isfinite(b):
      words.append(f'{pen}{a:.1f},{b:.1f}')
    pen = 'L' if np.isfinite(b) else 'M'
  return ''.join(words)


def _dots(x: np.ndarray, y: np.ndarray) -> str:
  """Lines without length: dots, where the style makes ends round."""
  return ''.join(f'M{a:.1f},{b:.1f}h0' for a, b in zip(x, y, strict=True)
                 if np.isfinite(b))
