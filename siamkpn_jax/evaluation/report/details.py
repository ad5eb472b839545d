"""Tables of what lies below the means: attributes, sequences, the runs."""

from collections.abc import Mapping, Sequence

from siamkpn_jax.evaluation.report.comparison import facts
from siamkpn_jax.evaluation.report.entries import Entry, Figures
from siamkpn_jax.evaluation.report.measures import (
    ACCURACY,
    EAO,
    FAILURES,
    NONE,
    PRECISION,
    SUCCESS,
    Measure,
    is_vot,
)
from siamkpn_jax.evaluation.report.tables import Table

_COUNTS = ('num_sequences', 'frames')  # what an attribute's row counts


def runs(entries: Sequence[Entry]) -> Table:
  """What was scored, with which weights, how fast, on what."""
  speed = lambda e, key: NONE if e.figures.get(key) is None else (
      f'{e.figures[key]:.1f}')
  frames = lambda e: f'{e.figures.get("num_frames") or 0:.0f}'
  return Table(
      'runs', 'Scored runs',
      ('tracker', 'sequences', 'frames', 'network, frames/s',
       'tracker, frames/s', 'end to end, frames/s', 'hardware', 'weights',
       'result files'),
      tuple((e.name, str(e.num_sequences), frames(e),
             speed(e, 'frames_per_second_network'),
             speed(e, 'frames_per_second'),
             speed(e, 'frames_per_second_end_to_end'),
             *(e.texts[key] or NONE for key in
               ('hardware', 'weights', 'results')))
            for e in entries),
      facts(entries), texts=frozenset({6, 7, 8}))


def attributes(entries: Sequence[Entry]) -> Table | None:
  """A row for each attribute; None where there are none."""
  names = sorted({name for e in entries for name in e.attributes})
  if not names:
    return None
  measures = attribute_measures(entries)
  count = 'frames' if is_vot(entries[0].kind) else 'sequences'
  return Table(
      'attributes', 'By attribute',
      ('attribute', count, *_columns(entries, measures)),
      tuple((name, str(attribute_count(entries, name)),
             *_cells([e.attributes.get(name, {}) for e in entries], measures))
            for name in names),
      facts(entries),
      ('Each row scores the frames with that tag; "empty" scores those '
       'without any.' if count == 'frames' else
       'Each row is the mean over the sequences with that attribute.',))


def attribute_count(entries: Sequence[Entry], name: str) -> int:
  """How many sequences, or frames, the attribute has with the most of us."""
  return int(max(e.attributes.get(name, {}).get(key) or 0
                 for e in entries for key in _COUNTS))


def attribute_measures(entries: Sequence[Entry]) -> list[Measure]:
  """What is told of an attribute, the figure of the radar first."""
  return [m for m in (EAO, SUCCESS, PRECISION, ACCURACY, FAILURES)
          if any(row.get(m.key) is not None
                 for e in entries for row in e.attributes.values())]


def sequences(entries: Sequence[Entry]) -> Table:
  """A row for each sequence, the worst of the first tracker first."""
  measures = [m for m in entries[0].kind
              if any(m.key in row for e in entries
                     for row in e.sequences.values())]
  first = worst_first(entries[0])
  others = sorted({name for e in entries for name in e.sequences} - set(first))
  frames = lambda name: max(
      int(e.sequences.get(name, {}).get('frames') or 0) for e in entries)
  return Table(
      'sequences', 'By sequence',
      ('sequence', 'frames', *_columns(entries, measures)),
      tuple((name, str(frames(name)),
             *_cells([e.sequences.get(name, {}) for e in entries], measures))
            for name in [*first, *others]),
      facts(entries), sortable=True)


def worst_first(entry: Entry) -> list[str]:
  """The names of the sequences; those with most failures, or least overlap."""
  if is_vot(entry.kind):
    badness = lambda row: (-(row.get('failures') or 0),
                           row.get('accuracy') or 0)
  else:
    key = entry.kind[0].key
    badness = lambda row: (1 if row.get(key) is None else row[key], 0)
  return sorted(entry.sequences, key=lambda name: (
      badness(entry.sequences[name]), name))


def _columns(entries: Sequence[Entry],
             measures: Sequence[Measure]) -> list[str]:
  if len(entries) == 1:
    return [m.label for m in measures]
  return [f'{e.name} {m.short}' for e in entries for m in measures]


def _cells(rows: Sequence[Figures | Mapping[str, float]],
           measures: Sequence[Measure]) -> list[str]:
  return [m.show(row.get(m.key)) for row in rows for m in measures]
