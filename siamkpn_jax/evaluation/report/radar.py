"""One figure by attribute, as a radar."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from siamkpn_jax.core.atomic_io import save_figure
from siamkpn_jax.evaluation.report import curves
from siamkpn_jax.evaluation.report.details import (
  attribute_count,
  attribute_measures,
)
from siamkpn_jax.evaluation.report.entries import Entry

FEWEST = 3  # attributes that make a shape


def spokes(entries: Sequence[Entry]) -> list[str]:
  """The attributes that all trackers have a figure of."""
  measures = attribute_measures(entries)
  if not measures:
    return []
  key = measures[0].key
  return sorted(name for name in entries[0].attributes if all(
      e.attributes.get(name, {}).get(key) is not None for e in entries))


def save_radar(path: Path, entries: Sequence[Entry], title: str) -> None:
  """Draws the first of `attribute_measures` over at least `FEWEST` `spokes`.

  Raises:
    UserError: it cannot be written.
  """
  names, measure = spokes(entries), attribute_measures(entries)[0]
  angles = 2 * np.pi * np.arange(len(names) + 1) / len(names)
  figure = Figure(figsize=(6, 6), dpi=150, layout='constrained')
  axes: Any = figure.add_subplot(projection='polar')
  axes.set_theta_zero_location('N')
  axes.set_theta_direction(-1)
  largest = 0.0
  for k, entry in enumerate(entries):
    values = [float(entry.attributes[n][measure.key] or 0) for n in names]
    axes.plot(angles, [*values, values[0]], linewidth=2, marker='o',
              markersize=4, label=f'{curves.plain(entry.name)} '
              f'[{measure.show(entry.figures.get(measure.key))}]',
              **curves.style(k))
    largest = max(largest, *values)
  axes.set_xticks(angles[:-1], [
      f'{curves.plain(n).replace("_", " ")}\n({attribute_count(entries, n)})'
      for n in names], fontsize=9)
  for angle, label in zip(angles, axes.get_xticklabels(), strict=False):
    side = np.round(np.sin(angle), 6)
    label.set_horizontalalignment(
        'center' if not side else 'left' if side > 0 else 'right')
  top = max(0.1, np.ceil(10 * largest) / 10)
  axes.set_ylim(0, top)
  axes.set_yticks(np.arange(0.1, top + 0.01, 0.1 if top <= 0.6 else 0.2))
  axes.set_rlabel_position(180 / len(names))
  axes.tick_params(axis='y', labelsize=8, labelcolor='0.4')
  axes.grid(color='0.88')
  axes.spines['polar'].set_color('0.8')
  axes.set_title(title, fontsize=12, pad=14)
  figure.legend(title=f'tracker [{measure.label}, all]', loc='outside lower '
                'center', ncols=min(3, len(entries)), fontsize=9,
                title_fontsize=9, edgecolor='0.9')
  save_figure(figure, path)
