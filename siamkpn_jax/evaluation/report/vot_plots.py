"""Plots of the supervised experiment: EAO's ranking, its curve, its price."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator, ScalarFormatter

from siamkpn_jax.core.atomic_io import save_figure
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.metrics.published import VARIANTS
from siamkpn_jax.evaluation.report import curves
from siamkpn_jax.evaluation.report.comparison import Row
from siamkpn_jax.evaluation.report.entries import Entry
from siamkpn_jax.evaluation.report.measures import EAO

REAL_TIME = 20  # frames per second, as the paper draws the line
_SPEEDS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # ticks
_OTHERS = '0.45'  # color of published trackers


def save_ranking(path: Path, rows: Sequence[Row], title: str) -> None:
  """Draws a dot for each row, best on top, as the paper's Figure 6 ranks.

  Raises:
    UserError: it cannot be written.
  """
  rows = [row for row in rows if np.isfinite(row.value(EAO))]
  figure, axes = curves.new_plot(
      title, 'expected average overlap' + (
          '; hollow: not comparable' if any(row.remark for row in rows) else
          ''), '', height=1.1 + 0.27 * len(rows))
  for y, row in enumerate(rows):
    color = curves.COLORS[1] if row.ours else _OTHERS
    value = row.value(EAO)
    axes.plot([0, value], [y, y], color=color, linewidth=1, alpha=0.5)
    axes.plot(value, y, 'o', color=color, zorder=3,
              markerfacecolor='white' if row.remark else color)
    axes.annotate(row.shown[EAO.key], (value, y), (7, 0), fontsize=8,
                  textcoords='offset points', va='center')
  axes.set_yticks(range(len(rows)), [curves.plain(row.name) for row in rows])
  for label, row in zip(axes.get_yticklabels(), rows, strict=True):
    label.set_fontweight('bold' if row.ours else 'normal')
  axes.set_ylim(len(rows) - 0.4, -0.6)
  axes.set_xlim(0, 1.15 * max([0.1, *(row.value(EAO) for row in rows)]))
  axes.tick_params(axis='y', length=0)
  axes.grid(visible=False, axis='y')
  save_figure(figure, path)


def save_speed(path: Path, entries: Sequence[Entry], rows: Sequence[Row],
               title: str) -> None:
  """Draws EAO against speed, as the paper's Figure 7, for the known speeds.

  The rows are of the same trackers, for their remarks.

  Raises:
    UserError: it cannot be written.
  """
  remarks = {row.name: row.remark for row in rows if row.ours}
  points = [(name, float(row['frames_per_second']), float(row['eao']), '')
            for name, row in VARIANTS.items() if 'frames_per_second' in row]
  ours = [(e.name, fps, eao, remarks.get(e.name, '')) for e in entries
          if (fps := e.figures.get('frames_per_second')) and
          (eao := e.figures.get('eao')) is not None]
  figure, axes = curves.new_plot(
      title, 'frames per second of the tracker (log scale)',
      'expected average overlap')
  for name, speed, eao, remark in points + ours:
    own = (name, speed, eao, remark) in ours
    color = curves.COLORS[1] if own else _OTHERS
    axes.plot(speed, eao, 'o', color=color, zorder=3,
              markerfacecolor='white' if remark else color)
    axes.annotate(curves.plain(name), (speed, eao),
                  (0, 7) if own else (6, 3), fontsize=8,
                  textcoords='offset points', ha='center' if own else 'left',
                  fontweight='bold' if own else 'normal')
  speeds = [speed for _, speed, _, _ in points + ours]
  low, high = min(REAL_TIME, *speeds) / 2, max(speeds) * 2.5
  axes.axvline(REAL_TIME, color='0.6', linewidth=0.8, linestyle=(0, (4, 4)))
  axes.text(REAL_TIME, 0.01, f' real time: {REAL_TIME}', color='0.4',
            fontsize=8, transform=axes.get_xaxis_transform())
  axes.set_xscale('log')
  axes.set_xticks([s for s in _SPEEDS if low <= s <= high])
  axes.xaxis.set_major_formatter(ScalarFormatter())
  axes.xaxis.set_minor_locator(NullLocator())
  axes.set_xlim(low, high)
  _fit_eao(axes, [eao for _, _, eao, _ in points + ours])
  save_figure(figure, path)


def speed_note(entries: Sequence[Entry]) -> str:
  """What the speeds of the plot were taken on."""
  known = {e.name: e.texts['hardware'] or 'unknown hardware' for e in entries
           if e.figures.get('frames_per_second')}
  ours = [f'{name}: {hardware}.' for name, hardware in known.items()]
  missing = [e.name for e in entries if e.name not in known]
  if missing:
    ours.append(f'Speed unknown: {", ".join(missing)}.')
  return ' '.join(['Published speeds: GTX 1080 Ti.', *ours])


def save_curves(path: Path, entries: Sequence[Entry], title: str) -> None:
  """Draws the expected overlap over the length, and the window of EAO.

  The entries have an `eao_curve`, and are of one known protocol.

  Raises:
    UserError: it cannot be written.
  """
  protocol = vot.PROTOCOLS[entries[0].protocol]
  low, high = protocol.window
  first = low - protocol.lengths.start  # the length at index 0
  figure, axes = curves.new_plot(title, 'length [frames]', 'expected overlap')
  axes.axvspan(low, high, color='0.93', zorder=0)
  axes.text((low + high) / 2, 0.97, f'EAO: mean over {low} to {high}',
            color='0.4', fontsize=8, ha='center')
  end = high
  for k, entry in enumerate(entries):
    curve = entry.curves['eao_curve']
    axes.plot(first + np.arange(len(curve)), curve, linewidth=2,
              label=f'{curves.plain(entry.name)} '
                    f'[{EAO.show(entry.figures.get("eao"))}]',
              **curves.style(k))
    end = max(end, first + np.flatnonzero(~np.isnan(curve)).max(initial=0))
  axes.set_xlim(0, min(end, 2 * high))
  axes.legend(title='tracker [EAO]', fontsize=9, title_fontsize=9,
              edgecolor='0.9', alignment='left', loc='upper right',
              bbox_to_anchor=(1, 0.93))
  save_figure(figure, path)


def _fit_eao(axes: Axes, values: Sequence[float]) -> None:
  """A range of whole tenths around the values."""
  low = max(0, np.floor(10 * min(values) - 0.5) / 10)
  high = min(1, np.ceil(10 * max(values) + 0.5) / 10)
  axes.set_ylim(low, high)
  step = 0.1 if high - low > 0.3 else 0.05
  axes.set_yticks(np.arange(low, high + 0.01, step))
