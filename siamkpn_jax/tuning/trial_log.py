"""The trial log: an Optuna study in a file, so that a search can go on.

A trial is a checkpoint with hyperparameters. Its intermediate values are what
it measured on one sequence after the other, in the order of visiting; a trial
that was pruned has one more, an estimate, at a step beyond all sequences.
"""

import dataclasses
import functools
import json
import math
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamkpn_jax.core.atomic_io import file_errors
from siamkpn_jax.core.errors import UserError, first_line
from siamkpn_jax.core.stored_json import check_plain
from siamkpn_jax.tuning.trial_runner import TrialParams, rounded

if TYPE_CHECKING:  # imported late: it is an extra, and takes its time
  import optuna

TRIAL_LOG = 'trials.jsonl'
NAMES = tuple(field.name for field in dataclasses.fields(TrialParams))
_SEARCH = 'search'  # attribute of the study: what is searched
SECONDS = 'seconds'  # another: spent tracking, in all


@dataclasses.dataclass(frozen=True, order=True)
class Candidate:
  """What a trial tries.

  Attributes:
    checkpoint: its number among those of the search.
    hyperparameters: of the tracker.
  """
  checkpoint: int
  hyperparameters: TrialParams

  @classmethod
  def of(cls, trial: 'optuna.Trial | optuna.trial.FrozenTrial') -> 'Candidate':
    """What was asked of a trial."""
    numbers = [trial.params[name] for name in NAMES]
    return cls(trial.params['checkpoint'], rounded(numbers))

  def params(self) -> dict[str, Any]:
    """As Optuna has it."""
    return {'checkpoint': self.checkpoint,
            **dataclasses.asdict(self.hyperparameters)}


def load_optuna() -> Any:
  """The package, quiet.

  Raises:
    UserError: it cannot be imported.
  """
  try:
    import optuna
  except ImportError as error:
    raise UserError('tuning needs the package optuna, which cannot be imported '
                    f"({first_line(error)}): pip install 'siamkpn_jax[tune]'"
                    ) from error
  optuna.logging.set_verbosity(optuna.logging.ERROR)
  return optuna


def pruner(prune_z: float, sequences: int) -> 'optuna.pruners.BasePruner':
  """A `RacingPruner`; at 0 one that drops nothing."""
  optuna = load_optuna()
  from siamkpn_jax.tuning.racing_pruner import RacingPruner
  return (RacingPruner(prune_z, sequences) if prune_z > 0 else
          optuna.pruners.NopPruner())


def open_study(path: Path, search: Mapping[str, Any],
               pruner: 'optuna.pruners.BasePruner') -> 'optuna.Study':
  """The study of a file, which is made if there is none.

  Args:
    path: the trial log.
    search: describes what is searched, as JSON can hold it.
    pruner: see above.

  Raises:
    UserError: the file is of another search, damaged before its last line, or
      cannot be read or written.
  """
  optuna = load_optuna()
  journal = optuna.storages.journal
  search = json.loads(json.dumps(search))

  class Backend(journal.JournalFileBackend):  # type: ignore[misc,name-defined]
    """Says where a disk is full."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
      with file_errors(path):
        super().append_logs(logs)

  with file_errors(path), warnings.catch_warnings():
    warnings.simplefilter('ignore')  # Optuna's, of what is in a damaged log
    path.parent.mkdir(parents=True, exist_ok=True)
    _drop_half_line(path)
    try:
      # The lock is the one that needs no rights on Windows.
      storage = optuna.storages.JournalStorage(
          Backend(str(path), journal.JournalFileOpenLock(str(path))))
      make = (optuna.load_study if optuna.get_all_study_names(storage) else
              functools.partial(optuna.create_study, direction='maximize'))
      study = make(study_name=_SEARCH, storage=storage, pruner=pruner)
      if any(len(trial.values or ()) > 1
             for trial in study.get_trials(deepcopy=False)):
        raise ValueError('trials with several scores')
      found = study.user_attrs.get(_SEARCH)
      if found is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(_SEARCH, search)
        found = search
      check_plain(found)
      changed = [key for key in {**found, **search}
                 if found.get(key) != search.get(key)]
      _check(study)
    except (ValueError, KeyError, TypeError, AssertionError, AttributeError,
            IndexError, OverflowError, RecursionError) as error:
      raise UserError(f'{path} is damaged; expected the trials of a search: '
                      'delete it to start over') from error
  if changed:
    raise UserError(
        f'{path}: belongs to another search: {changed[0]} was '
        f'{_short(found.get(changed[0]))}, now '
        f'{_short(search.get(changed[0]))}; expected the same: choose another '
        '--output, or delete the file')
  return study


def _check(study: 'optuna.Study') -> None:
  """Checks what the search takes from trials.

  Raises:
    ValueError: there is something that no search of ours writes.
    KeyError: a trial that has ended lacks a parameter.
  """
  for trial in study.get_trials(deepcopy=False):
    numbers = [*trial.params.values(), *trial.intermediate_values.values(),
               *([] if trial.value is None else [trial.value])]
    if not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
      raise ValueError(f'trial {trial.number} has numbers that are none')
    if trial.state.name in ('COMPLETE', 'PRUNED'):
      Candidate.of(trial)
    if trial.state.name == 'COMPLETE' and trial.value is None:
      raise ValueError(f'trial {trial.number} is complete without a score')
  seconds = study.user_attrs.get(SECONDS, 0.0)
  if type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
    raise ValueError(f'{SECONDS} is no time')


def _drop_half_line(path: Path) -> None:
  """Removes what a killed search has left half written.

  Optuna would write the next line behind it.
  """
  data = path.read_bytes() if path.exists() else b''
  if not data.endswith(b'\n') and data:
    os.truncate(path, data.rfind(b'\n') + 1)


def _short(value: Any) -> str:
  text = json.dumps(value)
  return text if len(text) <= 80 else f'{text[:77]}...'
