"""Which difficulties a sequence has: illumination variation, occlusion ...

Two forms are read:
  a file with lines "<name><tab>IV, OCC, DEF" (OTB's attr_list.txt)
  a folder of <name>.txt files, each a line of flags 0 or 1 (the MATLAB toolkits
  of OTB and LaSOT, att/), in the order of `FLAGS`
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from siamkpn_jax.benchmarks import results
from siamkpn_jax.benchmarks.annotations import Annotation, read_flags
from siamkpn_jax.benchmarks.result_files import name_key
from siamkpn_jax.errors import UserError

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


def with_attributes(annotations: Sequence[Annotation], path: Path,
                    benchmark: str) -> list[Annotation]:
  """The annotations with the attributes that a file or a folder tells.

  Raises:
    UserError: nothing to read, or a sequence that it does not know.
  """
  if path.is_dir():
    if benchmark not in FLAGS:
      raise UserError(f'{path} is a folder; expected a file with lines '
                      f'"<name><tab>IV, OCC" for {benchmark}; give one')
    return [dataclasses.replace(a, attributes=_flagged(
        path / f'{a.name}.txt', FLAGS[benchmark])) for a in annotations]
  listed = _read_list(path)
  unknown = [a.name for a in annotations if name_key(a.name) not in listed]
  if unknown:
    raise UserError(f'{path} has no attributes of {", ".join(unknown[:5])}; '
                    'expected a line for each sequence; complete it')
  return [dataclasses.replace(a, attributes=listed[name_key(a.name)])
          for a in annotations]


def _flagged(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
  flags = read_flags(path, len(names), 'attributes')
  return tuple(name for name, flag in zip(names, flags, strict=True) if flag)


def _read_list(path: Path) -> dict[str, tuple[str, ...]]:
  """Key of a sequence's name -> its attributes."""
  listed = {}
  for number, line in enumerate(
      results.read_text(path).splitlines(), start=1):
    name, tab, names = line.strip().partition('\t')
    if line.strip() and not tab:
      raise UserError(f'{path} line {number}: {line.strip()[:60]!r} is not '
                      '"<name><tab>IV, OCC"; correct it')
    listed[name_key(name)] = tuple(
        word.strip() for word in names.split(',') if word.strip())
  return listed
