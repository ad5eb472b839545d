"""What `python -m siamkpn_jax.ablate` does: train variants, compare them."""

import dataclasses
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from siamkpn_jax.checkpoints.manager import check_same_run
from siamkpn_jax.config.overrides import with_changes
from siamkpn_jax.config.settings import Config, to_plain
from siamkpn_jax.core.atomic_io import save_figure, write_file
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_names import portable_name
from siamkpn_jax.core.stored_json import read_json
from siamkpn_jax.datasets import catalog
from siamkpn_jax.evaluation.formats.results import write_summary
from siamkpn_jax.evaluation.formats.sequences import Video
from siamkpn_jax.evaluation.run.load import load_for_sequences
from siamkpn_jax.evaluation.run.one_pass import run_one_pass
from siamkpn_jax.training import trainer
from siamkpn_jax.training.validation import fingerprint

BASELINE = 'baseline'
RESULT = 'result.json'
_METRICS = ('success_auc', 'precision_20')


@dataclasses.dataclass(frozen=True)
class Variant:
  """One row of the study.

  Attributes:
    name: the settings that differ from the baseline's, the name of a
      configuration of its own, or `BASELINE`.
    config: its configuration, without a seed.
  """

  name: str
  config: Config

  @property
  def folder(self) -> str:
    """The name as a part of a path."""
    return portable_name(self.name)


def make_variants(config: Config, changes: Sequence[str],
                  others: Sequence[Variant] = ()) -> list[Variant]:
  """The baseline, then a variant for each change, then the others.

  Args:
    config: of the baseline.
    changes: see `with_changes`.
    others: with configurations of their own.

  Raises:
    UserError: a change that is wrong or empty, or two variants of the same
      configuration, or of names that are the same but for signs that a folder's
      name cannot have.
  """
  variants = [Variant(BASELINE, config)]
  changed = [Variant(change, with_changes(config, change))
             for change in changes]
  for variant in (*changed, *others):
    if not variant.name or variant.folder in [v.folder for v in variants]:
      raise UserError(f"--change or --variant '{variant.name}': empty or "
                      'duplicate; expected distinct variants')
    for other in variants:
      # The seed and the name are those of each training.
      if variant.config == other.config.updated(
          name=variant.config.name, seed=variant.config.seed):
        raise UserError(
            f"--change or --variant '{variant.name}': the same configuration "
            f"as '{other.name}', which would be trained twice; leave one out")
    variants.append(variant)
  return variants


def run(variants: Sequence[Variant], seeds: Sequence[int], output: Path,
        videos: Sequence[Video]) -> str:
  """Trains every variant with every seed, and evaluates each once.

  All variants are trained with the first seed, then all with the next. After
  every training the table and the picture are written anew. What is finished
  is not done again.

  Args:
    variants: the first is the baseline.
    seeds: of weights, data and augmentation.
    output: folder; each training gets <variant>/seed<n> in it.
    videos: to track in.

  Returns:
    The table.

  Raises:
    UserError: `output` holds a study with other settings, or a training ends
      with one.
    Preempted: a training was.
  """
  results: dict[str, dict[int, dict[str, float]]] = {}
  jobs = [(variant, seed) for seed in seeds for variant in variants]
  folder_of = lambda variant, seed: output / variant.folder / f'seed{seed}'
  earlier = [_finished(folder_of(*job), _config(*job), videos) for job in jobs]
  left, done, start = earlier.count(None), 0, time.monotonic()
  table = ''
  for number, ((variant, seed), known) in enumerate(
      zip(jobs, earlier, strict=True), start=1):
    hours = (time.monotonic() - start) / done * left / 3600 if done else None
    print(f'{number} of {len(jobs)}: {variant.name}, seed {seed}' + (
        '' if hours is None else f', about {hours:.1f} h left'),
        file=sys.stderr, flush=True)
    result = known or _train_and_evaluate(
        folder_of(variant, seed), _config(variant, seed), videos)
    if not known:
      left, done = left - 1, done + 1
    results.setdefault(variant.name, {})[seed] = result
    table = make_table(results)
    write_file(output / 'ablation.md', table)
    save_plot(output / 'ablation.png', results)
  return table


def _config(variant: Variant, seed: int) -> Config:
  return variant.config.updated(
      seed=seed, name=f'{variant.folder}_seed{seed}')


def read_result(path: Path) -> tuple[dict[str, Any], dict[str, float]]:
  """What a finished training of a study has written.

  Returns:
    Its configuration and the fingerprint of the videos, 'config' and 'videos';
    and its scores, with 'skipped', the number of skipped steps.

  Raises:
    UserError: it cannot be read, or is no such file.
  """
  try:
    stored = read_json(path, 'a result', fields={
        'config': dict, 'videos': object, 'result': dict}, finite=False)
    result = {name: float(stored['result'][name])
              for name in (*_METRICS, 'skipped')}
    if not all(0 <= value < math.inf for value in result.values()):
      raise ValueError('scores out of range')
  except (UserError, ValueError, KeyError, TypeError) as error:
    if isinstance(error.__cause__, OSError):
      raise
    raise UserError(f'{path}: not a result of this program: delete it, which '
                    'keeps all trained models') from error
  return stored, result


def _finished(folder: Path, config: Config,
              videos: Sequence[Video]) -> dict[str, float] | None:
  """The result of an earlier run of the same command; None to make it."""
  path = folder / RESULT
  if not path.exists():
    return None
  stored, result = read_result(path)
  if stored['videos'] != fingerprint(videos):
    return None  # what is trained is tracked with again
  check_same_run(stored['config'], to_plain(config), path)
  return result


def _train_and_evaluate(folder: Path, config: Config,
                        videos: Sequence[Video]) -> dict[str, float]:
  sources = catalog.open_sources(config.data, config.seed)
  state = trainer.train(config, folder, sources)  # goes on, or has finished
  tracker, _ = load_for_sequences(folder, [len(video) for video in videos])
  summary = run_one_pass(tracker, videos, folder / 'tracks')
  result = {name: summary[name] for name in _METRICS}
  result['skipped'] = int(state.skipped)
  write_summary(folder / RESULT, {
      'config': to_plain(config), 'videos': fingerprint(videos),
      'result': result})
  jax.clear_caches()  # the next variant is another program
  return result


def make_table(results: dict[str, dict[int, dict[str, float]]]) -> str:
  """Markdown: mean and standard deviation over the seeds, and every seed.

  Args:
    results: name -> seed -> metric -> value.
  """
  lines = ['| variant | success AUC | precision at 20 px | AUC of each seed | '
           'skipped steps |', '|---|---|---|---|---|']
  for name, by_seed in results.items():
    cells = [name if name == BASELINE else f'`{name}`']
    cells += [mean_and_deviation([r[metric] for r in by_seed.values()])
              for metric in _METRICS]
    cells.append(', '.join(
        f'{r["success_auc"]:.3f}' for r in by_seed.values()))
    cells.append(', '.join(f'{r["skipped"]:.0f}' for r in by_seed.values()))
    lines.append(f'| {" | ".join(cells)} |')
  return '\n'.join(lines) + '\n'


def mean_and_deviation(values: Sequence[float]) -> str:
  """The deviation is that of a sample (divided by n - 1)."""
  mean = f'{np.mean(values):.3f}'
  return f'{mean} ± {np.std(values, ddof=1):.3f}' if len(values) > 1 else mean


def save_plot(path: Path,
              results: dict[str, dict[int, dict[str, float]]]) -> None:
  """Draws a dot for every training and a bar at each mean.

  Args:
    path: the picture.
    results: name -> seed -> metric -> value.

  Raises:
    UserError: it cannot be written.
  """
  figure = Figure(figsize=(8, 0.8 + 0.42 * len(results)), dpi=120,
                  layout='constrained')
  axes = figure.add_subplot()
  for row, by_seed in enumerate(results.values()):
    values = [r['success_auc'] for r in by_seed.values()]
    axes.plot(values, [row] * len(values), 'o', color='#0072B2', alpha=0.6)
    axes.plot([np.mean(values)] * 2, [row - 0.3, row + 0.3], color='#D55E00',
              linewidth=2.5)
  baseline: Any = next(iter(results.values())).values()
  axes.axvline(float(np.mean([r['success_auc'] for r in baseline])),
               color='0.6', linewidth=0.8, linestyle='--', zorder=0)
  axes.set_yticks(range(len(results)), list(results))
  axes.set_ylim(len(results) - 0.5, -0.5)
  axes.set_xlabel('success AUC; dots: seeds, bars: means')
  axes.grid(axis='x', color='0.9')
  axes.set_axisbelow(True)
  axes.spines[['top', 'right']].set_visible(False)
  save_figure(figure, path)
