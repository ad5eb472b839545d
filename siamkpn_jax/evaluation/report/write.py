"""Writes the report: the page, and its pictures and tables as files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from siamkpn_jax.core.atomic_io import file_errors, write_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_names import portable_name
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.report import (
  comparison,
  curves,
  details,
  page,
  radar,
  tables,
  vot_plots,
)
from siamkpn_jax.evaluation.report.drawing import draw_frames, save_strips
from siamkpn_jax.evaluation.report.entries import Entry, make_entry
from siamkpn_jax.evaluation.report.failure_strips import worst_strips
from siamkpn_jax.evaluation.report.measures import title_of

NAME = 'report.html'
_WORST = 5  # sequences that get a strip
# What a report may consist of, beside its page.
_FILES = (
    *(f'{table}.{form}' for form in ('csv', 'tex') for table in (
        'runs', 'comparison', 'variants', 'attributes', 'sequences')),
    *(f'{plot}.png' for plot in (
        *curves.PLOTS, 'eao_ranking', 'eao_speed', 'eao_curve',
        'attributes')),
    f'failure_[1-{_WORST}]_*.png')


def write_report(summaries: Mapping[str, Any], output: Path, *,
                 sequences: Path | None = None,
                 commands: Sequence[str] = ()) -> Path:
  """Writes report.html, and beside it every plot and every table.

  The files of an earlier report in the folder are replaced or removed.

  Args:
    summaries: name of the tracker -> its scores, see scoring.py; of one
      benchmark and one protocol. The first is whose failures are shown.
    output: folder; made if it is missing.
    sequences: the benchmark's folder with its images, for the failures.
    commands: that make the report again, for the reader.

  Returns:
    The path of the page.

  Raises:
    UserError: scores that are damaged or cannot be compared, or a file that
      cannot be written.
  """
  return write_entries([make_entry(name, summary, name)
                        for name, summary in summaries.items()],
                       output, sequences=sequences, commands=commands)


def write_entries(entries: Sequence[Entry], output: Path, *,
                  sequences: Path | None = None,
                  commands: Sequence[str] = ()) -> Path:
  """As `write_report`, of scores that are read already."""
  check_comparable(entries)
  output = results.make_folder(output)
  _remove_earlier(output)
  found = [t for t in (
      details.runs(entries), comparison.table(entries), comparison.variants(),
      details.attributes(entries), details.sequences(entries)) if t]
  for table in found:
    tables.write(table, output)
  pictures = _pictures(entries, output)
  strips, notes = _strips(entries[0], sequences, output)
  text = page.report(entries, {t.name: t for t in found}, pictures, strips,
                     notes, commands)
  write_file(output / NAME, text)
  return output / NAME


def check_comparable(entries: Sequence[Entry]) -> None:
  """Checks that scores may stand in one table.

  Raises:
    UserError: there are none, two of one name, several benchmarks or
      protocols.
  """
  if not entries:
    raise UserError('no scores; expected those of at least one tracker')
  names = [e.name for e in entries]
  for name in names:
    if not name or names.count(name) > 1:
      raise UserError(f'tracker name {name!r}: empty or duplicate; expected a '
                      'unique name for each tracker')
  first = entries[0]
  for entry in entries[1:]:
    for what in ('benchmark', 'protocol'):
      mine, other = getattr(entry, what), getattr(first, what)
      if mine != other:
        raise UserError(
            f'{entry.name} was scored on {what} {mine}, {first.name} on '
            f'{what} {other}; expected the same, as scores are not comparable '
            'otherwise: write separate reports, or score again')


def _remove_earlier(output: Path) -> None:
  """Removes what belongs to an earlier report and might not be replaced.

  Without a page there was none, and such files are somebody else's.
  """
  if not (output / NAME).is_file():
    return
  for pattern in _FILES:
    for path in output.glob(pattern):
      with file_errors(path):
        path.unlink(missing_ok=True)  # by another part of the evaluation


def _pictures(entries: Sequence[Entry], output: Path) -> list[page.Picture]:
  """Draws what there is."""
  where = f'{title_of(entries[0].benchmark)}, {entries[0].protocol}'
  found = []

  def add(name: str, title: str, save: Callable[..., None], *what: Any,
          note: str = '') -> None:
    path = output / f'{name}.png'
    # Two $ would be mathematics.
    save(path, *what, f'{title} ({where})'.replace('$', r'\$'))
    found.append(page.Picture(path, title, note))

  for name, plot in curves.PLOTS.items():
    key = f'{name}_curve'
    drawn = {e.name: e.curves[key] for e in entries if key in e.curves}
    if drawn:
      add(name, plot.title, curves.save_plot, name, drawn)
  if any(e.figures.get('eao') is not None for e in entries):
    rows = comparison.rows(entries)
    add('eao_ranking', 'EAO', vot_plots.save_ranking, rows)
    if entries[0].benchmark == 'vot2018':  # of which speeds are published
      add('eao_speed', 'EAO against speed', vot_plots.save_speed, entries,
          rows, note=vot_plots.speed_note(entries))
  curved = [e for e in entries if 'eao_curve' in e.curves]
  if curved and entries[0].protocol in vot.PROTOCOLS:
    add('eao_curve', 'Expected overlap', vot_plots.save_curves, curved)
  if len(radar.spokes(entries)) >= radar.FEWEST:
    add('attributes', 'By attribute', radar.save_radar, entries)
  return found


def _strips(entry: Entry, sequences: Path | None,
            output: Path) -> tuple[list[page.DrawnStrip], list[str]]:
  """Strips of the worst failures, and what to say of those missing."""
  if sequences is None:
    return [], ['No failure strips, as no images were given: add '
                '--sequences=DATA, the benchmark folder with images.']
  try:
    found, notes = worst_strips(entry, sequences, _WORST)
  except UserError as error:
    return [], [f'No failure strips: {error}']
  strips: list[page.DrawnStrip] = []
  for place, strip in enumerate(found, start=1):
    try:
      pictures = draw_frames(strip)
    except UserError as error:
      notes.append(str(error))
      continue
    name = portable_name(strip.name[:60])
    save_strips(output / f'failure_{place}_{name}.png', [pictures])
    strips.append((strip, pictures))
  return strips, notes
