"""Curves of a log as pictures for a page."""

import base64
import dataclasses
import html
import io
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from siamkpn_jax.core.html import COLORS

_SMOOTHING = 9  # logged values, at least
_POINTS = 1000  # drawn of a curve
_DOTS = 30  # so many values at most are marked by dots
_LOG_FROM = 30  # largest value over the median: from here on a log scale
_INK = '#7b8088'  # of axes and numbers; readable on white and on black


@dataclasses.dataclass(frozen=True)
class Curve:
  """One curve.

  Attributes:
    steps: [n] ascending.
    values: [n]; where one is not finite the curve has a gap.
  """

  steps: np.ndarray
  values: np.ndarray


def plot(curves: Sequence[Curve], last_step: float, *, smooth: bool) -> Figure:
  """The curves over 0 to `last_step`.

  Args:
    curves: at least one; the n-th has color n of `html.COLORS`.
    last_step: right end of the axis, positive.
    smooth: draw the running mean, and the values faintly.
  """
  figure = Figure(figsize=(4.2, 2.2), layout='constrained')
  axes = figure.add_subplot()
  for k, curve in enumerate(curves):
    kept = thin(curve.values)
    steps, values = curve.steps[kept], _finite_or_nan(curve.values[kept])
    color = COLORS[k % len(COLORS)]
    dots = 'o' if len(kept) <= _DOTS else ''
    axes.plot(steps, values, color=color, marker=dots, markersize=3,
              linewidth=1, alpha=0.35 if smooth else 1)
    if smooth:
      window = max(_SMOOTHING, len(curve.values) // 50)
      axes.plot(steps, running_mean(curve.values, window, kept), color=color,
                linewidth=1.5)
  axes.set_xlim(0, last_step)
  _scale(axes, np.concatenate([c.values for c in curves]))
  axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
  axes.xaxis.set_major_formatter(EngFormatter(sep=''))  # 20000 -> 20k
  axes.grid(color=_INK, alpha=0.25)
  axes.tick_params(which='both', colors=_INK, labelsize=8, length=0)
  for spine in axes.spines.values():
    spine.set_visible(False)
  return figure


def running_mean(values: np.ndarray, window: int,
                 at: np.ndarray) -> np.ndarray:
  """Means over the last values up to an index, fewer at the start.

  Args:
    values: [n]; those that are not finite are passed over.
    window: number of values in a mean.
    at: [m] indices.

  Returns:
    [m], NaN where the value itself is not finite.
  """
  means = np.full(len(at), np.nan)
  for k, i in enumerate(at):
    last = values[max(0, i + 1 - window):i + 1]
    if np.isfinite(values[i]):
      means[k] = last[np.isfinite(last)].mean()
  return means


def image(title: str, figure: Figure) -> str:
  """A figure as an <img> element that holds its SVG; equal ones in every bit.

  Args:
    title: read out in place of the picture; any text.
    figure: to draw.
  """
  svg = io.BytesIO()
  with matplotlib.rc_context({'svg.hashsalt': 'curves',
                              'svg.fonttype': 'none'}):
    figure.savefig(svg, format='svg', transparent=True,
                   metadata={'Date': None})
  data = base64.b64encode(svg.getvalue()).decode()
  return (f'<img alt="{html.escape(title)}" '
          f'src="data:image/svg+xml;base64,{data}">')


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


def _finite_or_nan(values: np.ndarray) -> np.ndarray:
  return np.where(np.isfinite(values), values, np.nan)


def _scale(axes: 'matplotlib.axes.Axes', values: np.ndarray) -> None:
  """From zero; a log scale where a few values are far above the others."""
  values = values[np.isfinite(values)]
  low, high = (values.min(), values.max()) if values.size else (0.0, 1.0)
  if low > 0 and high > _LOG_FROM * np.median(values):
    axes.set_yscale('log')
    return
  low, high = min(low, 0.0), max(high, 0.0)
  axes.set_ylim(low * 1.05, high * 1.05 if high > low else 1.0)
  axes.yaxis.set_major_locator(MaxNLocator(4))
