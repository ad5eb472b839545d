"""What `python -m siamkpn_jax.convert` does, in both directions."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.checkpoints.weights import load_model, save_model
from siamkpn_jax.config.architectures import levels_of
from siamkpn_jax.config.published import STAGES, kpn_config
from siamkpn_jax.config.settings import (
  Config,
  ModelConfig,
  config_differences,
  flatten,
)
from siamkpn_jax.conversion.architecture import find_architecture
from siamkpn_jax.conversion.backbones import find_backbone
from siamkpn_jax.conversion.files import (
  SUFFIXES,
  read_wrapped_state,
  sha256,
  write_state,
)
from siamkpn_jax.conversion.names import name_table
from siamkpn_jax.conversion.variables import Mapped, to_state, to_variables
from siamkpn_jax.core.atomic_io import (
  atomic_folder,
  check_new_file,
  check_new_folder,
  file_errors,
)
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.models.siamkpn import build_model

REPORT_NAME = 'conversion.json'
CONFIG_NAME = 'config.py'


@dataclasses.dataclass(frozen=True)
class Report:
  """What was converted.

  Attributes:
    source: path of the input.
    sha256: of the input file; of the output file on the way to PyTorch.
    kind: what the weights are, in words.
    mapped: counts.
    notes: what the user should know.
  """

  source: str
  sha256: str
  kind: str
  mapped: Mapped
  notes: tuple[str, ...] = ()

  def text(self) -> str:
    """For the terminal."""
    m = self.mapped
    lines = [
        self.kind,
        f'mapped   {m.tensors} arrays: {m.parameters:,} parameters, '
        f'{m.statistics:,} running means and variances',
        f'ignored  {len(m.ignored)} batch counters' if m.ignored else '',
        f'sha256   {self.sha256}',
        *(f'note: {note}' for note in self.notes)]
    return '\n'.join(filter(None, lines))


def to_jax(source: Path, output: Path, part: str,
           config: Config | None = None) -> Report:
  """Converts a file of PyTorch weights to a checkpoint.

  Args:
    source: see `files.read_wrapped_state`.
    output: folder to make; gets the checkpoint, config.py (starts training
      from it) and conversion.json (the report).
    part: 'network' or 'backbone'.
    config: what the file cannot tell (tracking settings, training); its model
      must fit. None: the published configuration of as many stages.

  Raises:
    UserError: the file cannot be read or does not fit, or `output` exists.
  """
  output = output.absolute()
  check_new_folder(output, '--output')
  state, notes = read_wrapped_state(source)
  origin = 'SiamKPN'
  if part == 'backbone':
    state, origin = find_backbone(state)
  try:
    found = find_architecture(
        {name: array.shape for name, array in state.items()}, part)
    config = _fitting_config(found, part, config)
    model = build_model(config.model)
    variables, mapped = to_variables(state, name_table(model, part))
  except UserError as error:
    raise UserError(f'{source}: {error}') from error
  if found.get('num_stages', 1) not in STAGES:
    notes += ('tracking settings are published only for 1 to 3 stages; using '
             "those of the three-stage model",)
  report = Report(
      str(source), sha256(source), _describe(found, origin), mapped, notes)
  _write_folder(output, config, variables, part, report)
  return report


def to_torch(source: Path, output: Path, part: str) -> Report:
  """Converts a checkpoint to a state dict with the released names.

  Args:
    source: a run's workdir, a checkpoint, or converted weights.
    output: file with one of `files.SUFFIXES`.
    part: 'network', or 'backbone' for that alone.

  Raises:
    UserError: no checkpoint, a network that the released program cannot be,
      or the file exists or cannot be written.
  """
  check_new_file(output, '--output', suffixes=SUFFIXES)
  config, variables = load_model(source, part)
  wrong = _foreign(config) if part == 'network' else []
  if wrong:
    raise UserError(f'{source}: not supported by the released program: '
                    f'{"; ".join(wrong)}: train with these, or convert '
                    'only --part backbone')
  model = build_model(config.model)
  if model.level_fusion == 'mean' and part == 'network':
    variables = _with_equal_level_weights(variables, len(model.levels))
    model = model.clone(level_fusion='softmax')
  state, mapped = to_state(variables, name_table(model, part))
  write_state(output, state)
  return Report(str(source), sha256(output), _describe(
      dataclasses.asdict(config.model),
      'SiamKPN' if part == 'network' else 'backbone of SiamKPN'),
      mapped, _unusual(config.model, part))


def _foreign(config: Config) -> list[str]:
  """Settings, not visible in shapes, that the released program lacks."""
  needed = {'model.head_sharing': 'per_task', 'model.head_conv': 'full',
            'targets.offset_target': 'released'}
  given = flatten(config)
  return [f'config.{key} is {given[key]!r}, expected {value!r}'
          for key, value in needed.items() if given[key] != value]


def _fitting_config(found: Mapping[str, Any], part: str,
                    config: Config | None) -> Config:
  """A configuration of the architecture that was found."""
  if config is None:
    stages = found.get('num_stages', ModelConfig.num_stages)
    return (kpn_config(stages, '') if stages in STAGES else Config()).updated(
        name='_'.join([
            'backbone' if part == 'backbone' else f'kpn{stages}s',
            'converted']),
        model=found,
        train={'backbone_layers': levels_of(found['arch'])})
  config = config.updated(model={'weights': '', 'backbone_weights': ''})
  given = dataclasses.asdict(config.model)
  differing = [
      f'config.model.{key} is {given[key]!r}, the weights have {value!r}'
      for key, value in found.items() if given[key] != value and
      (part, key) != ('backbone', 'levels')]
  differing += _foreign(config) if part == 'network' else []
  if differing:
    raise UserError(f'{"; ".join(differing)}; expected the configuration of '
                    'these weights: change --config, or omit it')
  return config


def _describe(settings: Mapping[str, Any], origin: str) -> str:
  width = settings['width']
  parts = [origin, settings['arch'] + (f' of width {width}' * (width != 64))]
  if origin == 'SiamKPN':
    count = settings['num_stages']
    parts += [f'{count} stage{"s" * (count > 1)}',
              f'{settings["channels"]} channels']
  return ', '.join([*parts, f'levels {", ".join(settings["levels"])}'])


def _unusual(model: ModelConfig, part: str) -> tuple[str, ...]:
  """What the released program would have to be taught."""
  notes = []
  if model.arch not in ('resnet18', 'resnet34', 'resnet50'):
    notes.append(f'the released program has no {model.arch}')
  if model.width != 64:
    notes.append('its backbones are 64 wide')
  if part == 'network' and len(model.levels) != 3:
    notes.append('its neck and head have three levels')
  return tuple(notes)


def _with_equal_level_weights(variables: dict[str, Any],
                              levels: int) -> dict[str, Any]:
  """The softmax of equal weights is the mean."""
  equal = {f'{task}_weight': np.ones(levels, np.float32)
           for task in ('heatmap', 'offsets', 'size')}
  params = variables['params']
  return variables | {'params': params | {'head': params['head'] | equal}}


def _write_folder(output: Path, config: Config, variables: dict[str, Any],
                  part: str, report: Report) -> None:
  """Everything under a temporary name, renamed when it is whole."""
  with file_errors(output), atomic_folder(output) as partial:
    save_model(partial, config, variables, part=part)
    (partial / CONFIG_NAME).write_text(
        _config_source(config, part, report), encoding='utf-8')
    (partial / REPORT_NAME).write_text(
        json.dumps(dataclasses.asdict(report), indent=2) + '\n')


def _config_source(config: Config, part: str, report: Report) -> str:
  """A configuration file that starts training from the weights beside it."""
  key = 'weights' if part == 'network' else 'backbone_weights'
  changes = '\n'.join(f'  config.{name} = {_literal(value)}' for name, value in
                      config_differences(config).items())
  return f'''"""Starts training from converted weights.

  python -m siamkpn_jax.train --config {CONFIG_NAME}
"""

from pathlib import Path

from siamkpn_jax.config.files import default_config

# {report.kind},
# from {Path(report.source).name!r}, sha256
# {report.sha256}


def get_config():
  """The configuration of the weights beside this file."""
  config = default_config()
{changes}
  config.model.{key} = str(Path(__file__).absolute().parent)
  return config
'''


def _literal(value: Any) -> str:
  return "float('inf')" if value == float('inf') else repr(value)
