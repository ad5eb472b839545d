"""Result files of a supervised experiment, a folder for each sequence.

baseline/<sequence>/<sequence>_001.txt   a region or a mark per frame; _002 ...
for repetitions; or .bin
"""

from collections.abc import Sequence
from pathlib import Path

from siamkpn_jax.core.errors import UserError, few
from siamkpn_jax.core.file_names import file_name
from siamkpn_jax.evaluation.formats import regions
from siamkpn_jax.evaluation.formats.regions import Regions
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence

EXPERIMENT = 'baseline'  # the challenges' name of the supervised experiment


def read_runs(sequences: Sequence[VotSequence],
              results: str | Path) -> dict[str, list[Regions]]:
  """Reads all repetitions of sequences: name -> repetitions.

  Raises:
    UserError: a file is missing, damaged, too short or too long.
  """
  results = Path(results)
  root = results / EXPERIMENT if (results / EXPERIMENT).is_dir() else results
  missing = [s.name for s in sequences
             if not existing_file(root, s.name).is_file()]
  if missing:
    raise UserError(
        f'{results}: no results for {len(missing)} of {len(sequences)} '
        f'sequences: {few(missing)}; expected {EXPERIMENT}/<sequence>/'
        '<sequence>_001.txt: check the folder, or run the tracker on them')
  return {s.name: _read_repetitions(root, s) for s in sequences}


def result_file(root: Path, name: str, repetition: int = 1) -> Path:
  """Where the result of a repetition (from 1) on a sequence is kept."""
  name = file_name(name)
  return root / name / f'{name}_{repetition:03d}.txt'


def existing_file(root: Path, name: str, repetition: int = 1) -> Path:
  """The text file, or the binary one if only that is there."""
  path = result_file(root, name, repetition)
  if not path.parent.exists():  # other toolkits do not escape names
    path = root / name / f'{name}_{repetition:03d}.txt'
  binary = path.with_suffix('.bin')
  return binary if binary.is_file() and not path.is_file() else path


def read_run(path: Path, sequence: VotSequence) -> Regions:
  """Reads one result file and checks that it belongs to the sequence.

  Raises:
    UserError: it is missing, damaged, too short or too long.
  """
  trajectory = regions.read_trajectory(path)
  if len(trajectory) != len(sequence):
    raise UserError(
        f'{path}: {len(trajectory)} lines, but {sequence.name} has '
        f'{len(sequence)} frames; expected one line per frame: run the tracker '
        'again on this sequence')
  return trajectory


def _read_repetitions(root: Path, sequence: VotSequence) -> list[Regions]:
  found = []
  path = existing_file(root, sequence.name)
  while path.is_file():
    found.append(read_run(path, sequence))
    path = existing_file(root, sequence.name, len(found) + 1)
  return found
