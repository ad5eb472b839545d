"""A run as one page: state, curves, latest numbers, settings; no other file."""

import datetime
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from siamkpn_jax.config.section import types_of
from siamkpn_jax.config.settings import (
  Config,
  ModelConfig,
  TrainConfig,
  config_differences,
  config_from_dict,
  flatten,
  to_plain,
)
from siamkpn_jax.core.atomic_io import write_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.html import figure, page, table
from siamkpn_jax.core.stored_json import parse_json, read_bounded
from siamkpn_jax.training.curves import Curve, image, plot
from siamkpn_jax.training.metrics import (
  CONFIG_NAME,
  LOG_NAME,
  REPORT_NAME,
  best_validation,
  read_log,
)

_REVISION = 'git_revision'  # key of config.json
_NO_SETTINGS = ('name', _REVISION)
_RATES = {'head': 'learning_rate', 'backbone': 'backbone_learning_rate'}
_TITLES = {'grad_norm': 'gradient norm', 'skipped': 'skipped steps',
           'pairs_per_second': 'pairs per second',
           'data_wait': 'fraction of time spent waiting for data',
           'mfu': 'model FLOP utilization'}
_LARGEST = 1e100  # number of a curve; matplotlib overflows later
# Beginnings of what is drawn as it is logged.
_EXACT = (*_RATES.values(), 'skipped', 'val_')


def write_report(workdir: Path) -> Path:
  """Writes report.html of a run, whole or not at all.

  Args:
    workdir: of the run, which may be under way: holds config.json and, once
      steps are logged, metrics.jsonl.

  Returns:
    The path of the page.

  Raises:
    UserError: there is no run, its files cannot be read, or the page cannot be
      written.
  """
  config = _read_config(workdir)
  log = workdir / LOG_NAME
  try:
    rows = read_log(log)
    logged = log.stat().st_mtime if rows else 0.0
  except OSError as error:
    raise _unreadable(log, error) from error
  curves = read_curves(rows)
  text = page(config['name'], [
      *_state(config, rows, logged), *_pictures(curves), *_numbers(curves),
      *_settings(config)])
  path = workdir / REPORT_NAME
  write_file(path, text)
  return path


def _read_config(workdir: Path) -> dict[str, Any]:
  """What is stored in config.json, its name a string."""
  path = workdir / CONFIG_NAME
  if not path.is_file():
    what = 'no training run' if workdir.is_dir() else 'no such folder'
    raise UserError(f'{workdir}: {what}; expected a --workdir of training with '
                    f'its {CONFIG_NAME}: check the path')
  try:
    config = parse_json(read_bounded(path), path, 'settings', finite=False,
                        fields={
                            'train': dict, 'model': dict, 'name': str})
    _train_config(config)
    return config
  except OSError as error:
    raise _unreadable(path, error) from error
  except (ValueError, UserError) as error:
    raise UserError(
        f'{path}: not the configuration of a run ({error}); expected the file '
        'that training writes: resume the run to write it again') from error


def _train_config(config: Mapping[str, Any]) -> TrainConfig:
  """Checked next to the model, of whose backbone it names parts."""
  return config_from_dict({'train': config['train'], 'model': {
      name: value for name, value in config['model'].items()
      if name in types_of(ModelConfig)}}).train


def _unreadable(path: Path, error: OSError) -> UserError:
  return UserError(f'{path}: cannot be read ({error.strerror or error}); '
                   'expected a readable file: check its permissions')


def _state(config: dict[str, Any], rows: Sequence[Mapping[str, Any]],
           logged: float) -> list[str]:
  """How far the run is, and by which code; `logged` in seconds since 1970."""
  train = _train_config(config)
  total, epochs = train.total_steps, train.epochs
  if not rows:
    lines = [f'<p>No step of {total:,} has been logged yet.</p>']
  else:
    step = rows[-1]['step']
    epoch = min(-(-step // train.steps_per_epoch), epochs)
    end = ('finished' if step >= total else
           'not finished: in progress or interrupted')
    when = datetime.datetime.fromtimestamp(logged, datetime.UTC)
    lines = [
        f'<p>Step {step:,} of {total:,}, epoch {epoch} of {epochs}; {end}. '
        f'Last logged {when:%Y-%m-%d %H:%M} UTC.</p>',
        f'<progress max="{total}" value="{min(step, total)}"></progress>',
        *_best(rows)]
  if _REVISION in config:
    revision = escape(str(config[_REVISION]))
    lines.append(f'<p>Code version: <code>{revision}</code></p>')
  return lines


def _best(rows: Sequence[Mapping[str, Any]]) -> list[str]:
  """Which checkpoint was best in validation."""
  best = best_validation(rows)
  if best is None:
    return []
  step, auc = best
  return [f'<p>Best validation: success AUC {auc:.3f} at step {step:,}, '
          f'kept as <code>checkpoints/{step}</code>.</p>']


def read_curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, Curve]:
  """One for each name in the log, over the rows that have the name."""
  found: dict[str, tuple[list[int], list[float]]] = {}
  for row in rows:
    for name, value in row.items():
      steps, values = found.setdefault(name, ([], []))
      steps.append(row['step'])
      drawable = isinstance(value, int | float) and abs(value) < _LARGEST
      values.append(value if drawable else math.nan)
  found.pop('step', None)
  return {name: Curve(np.asarray(steps, float), np.asarray(values, float))
          for name, (steps, values) in found.items()}


def _pictures(curves: dict[str, Curve]) -> list[str]:
  """One for each panel."""
  if not curves:
    return []
  figures = draw(curves)
  return [
      '<h2>Curves</h2>', '<p>Horizontal axis: training step. A strong line '
      'is the running mean of the faint one.</p>',
      '<div class="curves">',
      *(_picture(title, names, curves, figures[title])
        for title, names in _panels(curves).items()), '</div>']


def draw(curves: dict[str, Curve]) -> dict[str, Figure]:
  """Title of each panel -> its figure; all over the same steps."""
  last_step = max(1.0, *(curve.steps[-1] for curve in curves.values()))
  exact = lambda names: any(n.startswith(_EXACT) for n in names.values())
  return {
      title: plot([curves[name] for name in names.values()], last_step,
                  smooth=not exact(names))
      for title, names in _panels(curves).items()}


def _panels(names: Collection[str]) -> dict[str, dict[str, str]]:
  """Title -> label -> name in the log: a panel per task, a label per stage."""
  stages: dict[str, dict[int, str]] = {}
  for name in names:
    if match := re.fullmatch(r'stage(\d+)/(.+)', name):
      stages.setdefault(match[2], {})[int(match[1])] = name
  losses = {f'{task} loss': {f'stage {n}': found[n] for n in sorted(found)}
            for task, found in stages.items()}
  validation = {name: {'': name} for name in names if name.startswith('val_')}
  total = {'total loss': {'': 'loss'}} if 'loss' in names else {}
  rates = {label: name for label, name in _RATES.items() if name in names}
  others = {title: {'': name} for name, title in _TITLES.items()
            if name in names}
  return total | validation | losses | (
      {'learning rate': rates} if rates else {}) | others


def _picture(title: str, names: dict[str, str], curves: dict[str, Curve],
             drawing: Figure) -> str:
  """A panel, see `_panels`."""
  shown = [curves[name] for name in names.values()]
  missing = sum(int((~np.isfinite(curve.values)).sum()) for curve in shown)
  note = f'gaps: non-finite values ({missing:,})' if missing else ''
  return figure(title, [label for label in names if label],
                image(title, drawing), note)


def _numbers(curves: Mapping[str, Curve]) -> list[str]:
  """The latest of every name, and its range."""
  if not curves:
    return []
  rows = []
  for name, curve in curves.items():
    finite = curve.values[np.isfinite(curve.values)]
    ends = [finite.min(), finite.max()] if finite.size else [math.nan] * 2
    rows.append([name, f'{curve.values[-1]:.4g}', f'{curve.steps[-1]:,.0f}',
                 *(f'{end:.4g}' for end in ends)])
  return ['<h2>Numbers</h2>', table(
      ['', 'latest', 'at step', 'min', 'max'], rows, numbers=True)]


def _settings(config: dict[str, Any]) -> list[str]:
  """Where the run is not the default."""
  default = flatten(to_plain(Config()))
  show = lambda value: value if isinstance(value, str) else json.dumps(value)
  rows = [[key, show(value), show(default[key]) if key in default else '']
          for key, value in config_differences(config).items()
          if key.split('.')[0] not in _NO_SETTINGS]
  return ['<h2>Settings that differ from the defaults</h2>',
          table(['setting', 'this run', 'default'], rows) if rows else
          '<p>None.</p>']
