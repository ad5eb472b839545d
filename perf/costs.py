"""The largest costs of a profiler's trace, as JAX reads it back."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax

from siamkpn_jax.core.errors import UserError

_PLACE = re.compile(
    r'^\s*(?:ROOT )?%?([\w.-]+) = .*op_name="([^"]*)"', re.MULTILINE)
_JITTED = re.compile(r'^(jit\((train_step|update)\)/)+')  # says nothing new


class Cost(NamedTuple):
  """What all runs of one operation cost.

  Attributes:
    name: of the operation in the compiled program, or of a GPU's kernel.
    count: how often it ran.
    seconds: all of them together.
  """

  name: str
  count: int
  seconds: float


def profile(folder: Path, work: Callable[[], object]) -> list[Cost]:
  """Traces some work into a folder; its costs, see `list_costs`."""
  options = jax.profiler.ProfileOptions()
  options.python_tracer_level = 0
  with jax.profiler.trace(folder, profiler_options=options):
    work()
  return list_costs(read_newest(folder))


def rows(found: list[Cost], program: jax.stages.Compiled,
         top: int) -> list[dict[str, Any]]:
  """The largest costs, and where in a program they come from, for JSON."""
  places = find_places(program)
  total = sum(cost.seconds for cost in found)
  return [{'ms': 1e3 * cost.seconds, 'share': cost.seconds / total,
           'runs': cost.count, 'operation': cost.name,
           'place': _JITTED.sub('', places.get(cost.name, ''))}
          for cost in found[:top]]


def line(row: dict[str, Any]) -> str:
  """One of `rows` for the terminal."""
  return (f'{row["ms"]:9.2f} {row["share"]:6.1%} {row["runs"]:6d}  '
          f'{row["operation"]}  {row["place"]}')


def table(found: list[Cost], program: jax.stages.Compiled,
          top: int) -> list[str]:
  """Lines of the largest costs, below a heading."""
  total = sum(cost.seconds for cost in found)
  return [f'operations {1e3 * total:.1f} ms, all threads or streams together',
          f'{"ms":>9}  share   runs  operation, and where it comes from',
          *map(line, rows(found, program, top))]


def read_newest(folder: Path) -> Any:
  """The newest trace below a folder.

  Raises:
    UserError: there is none.
  """
  files = sorted(folder.rglob('*.xplane.pb'), key=lambda p: p.stat().st_mtime)
  if not files:
    raise UserError(f'{folder}: no trace (*.xplane.pb) was written')
  return jax.profiler.ProfileData.from_file(str(files[-1]))


def list_costs(trace: Any) -> list[Cost]:
  """Every operation's own time, the largest first.

  An operation inside another one, such as the body of a loop, counts for
  itself alone. Times of different threads or streams are added up, although
  they may run side by side.

  Args:
    trace: a ProfileData.
  """
  totals: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
  for events in _lines(trace):
    for name, seconds in own_times(events):
      totals[name][0] += 1
      totals[name][1] += seconds
  return sorted((Cost(name, int(count), seconds)
                 for name, (count, seconds) in totals.items()),
                key=lambda cost: -cost.seconds)


def own_times(events: Iterable[tuple[float, float, str]]
              ) -> Iterator[tuple[str, float]]:
  """Name and seconds of every event, without the events inside it.

  Args:
    events: start and end in nanoseconds, and name, of one thread or stream.
  """
  running: list[list[Any]] = []  # [end, name, own nanoseconds], outer first
  for start, end, name in sorted(events, key=lambda e: (e[0], -e[1])):
    while running and running[-1][0] <= start:
      _, done, own = running.pop()
      yield done, own / 1e9
    # Rounding: an event may seem to outlast the one around it.
    inside = min(end, running[-1][0]) if running else end
    if running:
      running[-1][2] -= inside - start
    running.append([inside, name, inside - start])
  for _, name, own in running:
    yield name, own / 1e9


def _lines(trace: Any) -> Iterator[list[tuple[float, float, str]]]:
  """The events of a GPU's streams; without GPU, of the host's threads."""
  streams = [line for plane in trace.planes
             if plane.name.startswith('/device:')
             for line in plane.lines if line.name.startswith('Stream')]
  for line in streams:
    yield [_event(event, dict(event.stats)) for event in line.events]
  if streams:
    return
  for plane in trace.planes:
    if plane.name == '/host:CPU':
      for line in plane.lines:
        pairs = [(event, dict(event.stats)) for event in line.events]
        # The rest is the host's own work, and waiting.
        yield [_event(event, stats) for event, stats in pairs
               if 'hlo_op' in stats]


def _event(event: Any, stats: dict[str, Any]) -> tuple[float, float, str]:
  return (event.start_ns, event.start_ns + event.duration_ns,
          stats.get('hlo_op') or event.name)


def find_places(compiled: jax.stages.Compiled) -> dict[str, str]:
  """{operation: where in the program it comes from}, as far as it is known."""
  return dict(_PLACE.findall(compiled.as_text() or ''))
