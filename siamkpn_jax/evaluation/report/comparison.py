"""Our trackers beside the published ones."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from siamkpn_jax.evaluation.formats.result_files import name_key
from siamkpn_jax.evaluation.metrics.published import (
    PUBLISHED,
    VARIANTS,
    Published,
)
from siamkpn_jax.evaluation.report.entries import Entry
from siamkpn_jax.evaluation.report.measures import (
    ACCURACY,
    EAO,
    NONE,
    PRECISION,
    ROBUSTNESS,
    SUCCESS,
    Measure,
    title_of,
)
from siamkpn_jax.evaluation.report.tables import Table

_PLACES = ('b', 'i', 'u')  # first, second, third
_MARKS = 'The best three of each column are bold, italic and underlined'


@dataclasses.dataclass(frozen=True)
class Row:
  """A tracker among others.

  Attributes:
    name: of the tracker.
    shown: key of a figure -> number as shown.
    ours: whether it is not a published one.
    protocol: the name of the rule; of a published one where it stands.
    num_sequences: how many it was scored on.
    remark: why it cannot be compared; empty: it can.
  """
  name: str
  shown: Mapping[str, str]
  ours: bool
  protocol: str
  num_sequences: int
  remark: str = ''

  def value(self, measure: Measure) -> float:
    """The number as shown; NaN for none."""
    shown = self.shown.get(measure.key, '')
    return float(shown) if shown else math.nan


def rows(entries: Sequence[Entry]) -> list[Row]:
  """All trackers on the benchmark of the entries, best first."""
  benchmark = entries[0].benchmark
  published = PUBLISHED.get(benchmark)
  found = [Row(e.name, {m.key: m.show(e.figures[m.key]) for m in e.measures},
               True, e.protocol, e.num_sequences, remark(e, published))
           for e in entries]
  if published:
    found += [Row(name, shown, False, published.source,
                  published.num_sequences)
              for name, shown in published.trackers.items()]
  main = entries[0].kind[0]
  return sorted(found, key=lambda row: _order(row.value(main), main))


def remark(entry: Entry, published: Published | None) -> str:
  """Why a score cannot be laid beside the published ones; empty: it can."""
  reasons = []
  if published and entry.num_sequences != published.num_sequences:
    reasons.append(f'{entry.num_sequences} of {published.num_sequences} '
                   'sequences')
  scored, annotated = (entry.figures.get(key) or 0 for key in
                       ('num_frames', 'num_annotated_frames'))
  if scored < annotated:  # the result is short; what is hard comes late
    reasons.append(f'{scored:.0f} of {annotated:.0f} frames')
  if published and entry.protocol not in published.protocols:
    reasons.append(f'protocol {entry.protocol}')
  if published and published.remark:
    reasons.append(published.remark)
  return f'{", ".join(reasons)}: not comparable' if reasons else ''


def table(entries: Sequence[Entry]) -> Table:
  """The table of all trackers, sorted, the best three marked."""
  benchmark = entries[0].benchmark
  published = PUBLISHED.get(benchmark)
  found = rows(entries)
  measures = [m for m in entries[0].kind
              if any(m.key in row.shown for row in found)]
  marks = {(n, 0): 'strong' for n, row in enumerate(found) if row.ours}
  ranked = _on_the_same(entries)
  for column, measure in enumerate(measures, start=1):
    if published and all(row.ours or measure.key not in row.shown
                         for row in found):
      continue  # first among ourselves says nothing
    for n, place in places([
        math.nan if row.remark or (row.ours and not ranked) else
        row.value(measure) for row in found], measure).items():
      marks[n, column] = _PLACES[place]
  title = published.title if published else title_of(benchmark)
  last = ('remark',) if any(row.remark for row in found) else ()
  return Table(
      'comparison', f'Results on {title}',
      ('tracker', *(_arrow(m) for m in measures), 'sequences',
       'protocol or source', *last),
      tuple((row.name, *(row.shown.get(m.key, NONE) for m in measures),
             str(row.num_sequences), row.protocol, *(row.remark for _ in last))
            for row in found),
      facts(entries), _notes(found, measures, published, ranked=ranked),
      frozenset({len(measures) + 2, len(measures) + 3}), marks,
      foreign=frozenset(n for n, row in enumerate(found) if not row.ours))


def variants() -> Table:
  """The paper's own comparison of SiamKPN's variants."""
  measures = (SUCCESS, PRECISION, EAO, ACCURACY, ROBUSTNESS)
  head = ('tracker', *(f'{"OTB-100" if m in measures[:2] else "VOT2018"} '
                       f'{_arrow(m)}' for m in measures), 'frames per second')
  keys = [*(m.key for m in measures), 'frames_per_second']
  return Table(
      'variants', 'Variants of SiamKPN', head,
      tuple((name, *(row.get(key, NONE) for key in keys))
            for name, row in VARIANTS.items()),
      {'benchmark': 'OTB-100 and VOT2018',
       'protocol': 'Tables 4 and 5 of the SiamKPN paper',
       'scored sequences': '100 and 60'},
      ('1s, 2s, 3s: number of stages. Without decay: labels of all stages '
       'have the same variance. Speeds: VOT2018 on a GTX 1080 Ti. Accuracy and '
       "robustness of 1s and 2s come from the paper's repository, which lists "
       '0.605 and 0.187 for 3s.',))


def places(values: Sequence[float], measure: Measure) -> dict[int, int]:
  """Which of the values are first (0), second (1) and third (2).

  Equal ones share a place, and the next is left empty: 0, 0, 2. NaN has none.
  """
  sign = 1 if measure.lower_is_better else -1
  better = [sum(sign * other < sign * value for other in values)
            for value in values]
  return {n: place for n, (place, value) in
          enumerate(zip(better, values, strict=True))
          if place < len(_PLACES) and not math.isnan(value)}


def facts(entries: Sequence[Entry]) -> dict[str, str]:
  """What every table says of itself."""
  published = PUBLISHED.get(entries[0].benchmark)
  total = published.num_sequences if published else 0
  count = lambda e: f'{e.num_sequences}' + (
      f' of {total}' if total not in (0, e.num_sequences) else '')
  counts = {count(e) for e in entries}
  return {
      'benchmark': title_of(entries[0].benchmark),
      'protocol': entries[0].protocol,
      'scored sequences': counts.pop() if len(counts) == 1 else ', '.join(
          f'{e.name} {count(e)}' for e in entries)}


def _order(value: float, measure: Measure) -> float:
  if math.isnan(value):
    return math.inf
  return value if measure.lower_is_better else -value


def _arrow(measure: Measure) -> str:
  return f'{measure.label} {"↓" if measure.lower_is_better else "↑"}'


def _on_the_same(entries: Sequence[Entry]) -> bool:
  """Whether all were scored on the same sequences."""
  return len({(entry.num_sequences, frozenset(map(name_key, entry.sequences)))
              for entry in entries}) == 1


def _notes(found: Sequence[Row], measures: Sequence[Measure],
           published: Published | None, *, ranked: bool) -> tuple[str, ...]:
  marks = _MARKS + ('; rows that are not comparable are not ranked.' if
                    not ranked or any(row.remark for row in found) else '.')
  notes = [marks]
  if published:
    notes.append(f'Published results: {published.source}, which does not name '
                 'the toolkit; they are compared with scores by '
                 f'{" or ".join(published.protocols)}.')
  if ROBUSTNESS in measures:
    notes.append('Robustness: failures per 100 frames.')
  notes += [f'{row.name}: {row.remark}.' for row in found if row.remark]
  if not ranked:
    notes.append('Our trackers were scored on different sequences and are '
                 'not comparable with each other.')
  return tuple(notes)
