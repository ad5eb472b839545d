"""Which difficulties a sequence has: illumination variation, occlusion ...

Two forms are read:
  a file with lines "<name><tab>IV, OCC, DEF" (OTB's attr_list.txt)
  a folder of <name>.txt files, each a line of flags 0 or 1 (the MATLAB toolkits
  of OTB and LaSOT, att/), in the order of `FLAGS`
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats import text
from siamkpn_jax.datasets.formats.annotations import Annotation, read_flags
from siamkpn_jax.evaluation.formats.result_files import find_spellings

# Sources: perfPlot.m of OTB, run_tracker_performance_evaluation.m of LaSOT.
FLAGS: Mapping[str, tuple[str, ...]] = {
    'otb': ('IV', 'OPR', 'SV', 'OCC', 'DEF', 'MB', 'FM', 'IPR', 'OV', 'BC',
            'LR'),
    'lasot': ('IV', 'POC', 'DEF', 'MB', 'CM', 'ROT', 'BC', 'VC', 'SV', 'FOC',
              'FM', 'OV', 'LR', 'ARC'),
}


def find(annotations: Path) -> Path | None:
  """The attributes that lie beside a benchmark's annotations, if any do."""
  home = annotations if annotations.is_dir() else annotations.parent
  for path in (home / 'attr_list.txt', home / 'att', home / 'annos' / 'att'):
    if path.exists():
      return path
  return None


def find_for(
    annotations: list[Annotation], given: Path | None, home: Path,
    benchmark: str, among: Collection[str]) -> tuple[list[Annotation],
                                                     list[str]]:
  """The annotations with the attributes that are given, or lie beside them.

  What lies beside them, at `home`, may be somebody else's and is no reason not
  to score: it gives a note. Other arguments are those of `with_attributes`.

  Raises:
    UserError: what the user names cannot be used.
  """
  if given:
    return with_attributes(annotations, given, benchmark, among), []
  found = find(home)
  if found is None:
    return annotations, []
  try:
    return with_attributes(annotations, found, benchmark, among), []
  except UserError as error:
    return annotations, [f'attributes left out: {error}']


def with_attributes(annotations: Sequence[Annotation], path: Path,
                    benchmark: str,
                    among: Collection[str] = ()) -> list[Annotation]:
  """The annotations with the attributes that a file or a folder tells.

  Args:
    annotations: of some sequences or all.
    path: the file or folder.
    benchmark: a key of `FLAGS` if it is a folder.
    among: the names of all sequences of the benchmark, if these are some.

  Raises:
    UserError: nothing to read, or a sequence that it does not know or lists
      twice.
  """
  if path.is_dir():
    if benchmark not in FLAGS:
      raise UserError(f'{path}: is a folder; expected a file with lines '
                      f'"<name><tab>IV, OCC" for {benchmark}: use a file')
    return [dataclasses.replace(a, attributes=_flagged(
        path / f'{a.name}.txt', FLAGS[benchmark])) for a in annotations]
  listed = _read_list(path)
  spellings = find_spellings([a.name for a in annotations], listed, among)
  unknown = [name for name, found in spellings.items() if not found]
  if unknown:
    raise UserError(f'{path}: no attributes for {", ".join(unknown[:5])}; '
                    'expected a line per sequence: add the missing ones')
  for found in spellings.values():
    if len(found) > 1:
      raise _double(path, found[0], found[1])
  return [dataclasses.replace(a, attributes=listed[spellings[a.name][0]])
          for a in annotations]


def _double(path: Path, first: str, second: str) -> UserError:
  return UserError(f'{path}: {first} and {second} are the same sequence; '
                   'expected one line per sequence: remove one')


def _flagged(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
  flags = read_flags(path, len(names), 'attributes')
  return tuple(name for name, flag in zip(names, flags, strict=True) if flag)


def _read_list(path: Path) -> dict[str, tuple[str, ...]]:
  """A sequence's name as the file spells it -> its attributes."""
  listed: dict[str, tuple[str, ...]] = {}
  for number, line in enumerate(
      text.read_text(path).splitlines(), start=1):
    if not line.strip():
      continue
    name, tab, names = line.strip().partition('\t')
    if not tab:
      raise UserError(f'{path} line {number}: {line.strip()[:60]!r}; expected '
                      '"<name><tab>IV, OCC": correct it')
    if name in listed:
      raise _double(path, name, name)
    listed[name] = tuple(
        word.strip() for word in names.split(',') if word.strip())
  return listed
