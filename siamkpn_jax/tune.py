"""Searches the tracker's hyperparameters on annotated sequences.

  python -m siamkpn_jax.tune --benchmark got10k --data GOT10k/val \
    --weights RUN --output runs/tuned

Writes to --output: result.json, hyperparameters.png, trials.jsonl, and the
checkpoint `tuned` that tracks with the best. Started again, it goes on where it
was. See docs/tuning.md.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from siamkpn_jax import cli

_BENCHMARK = flags.DEFINE_string(
    'benchmark', None, 'Layout and protocol, as for siamkpn_jax.score.')
_DATA = flags.DEFINE_string('data', None, 'Folder with the sequences.')
_WEIGHTS = flags.DEFINE_multi_string(
    'weights', None, "Checkpoint, a run's workdir, a .safetensors file or the "
    'name of a packaged model; may be repeated.')
_LAST = flags.DEFINE_integer(
    'last', 1, 'Newest checkpoints of each workdir.', lower_bound=1)
_OUTPUT = flags.DEFINE_string('output', None, 'Folder for the results.')
_PROTOCOL = flags.DEFINE_string(
    'protocol', None, "The rule; default: the benchmark's own.")
_SEQUENCES = flags.DEFINE_list(
    'sequences', [], 'Search only on these (names or patterns).')
_ZERO_BASED = flags.DEFINE_list(
    'zero_based', [], 'Sequences whose annotation counts pixels from 0, where '
    'the layout counts from 1 (names or patterns).')
_STRATEGY = flags.DEFINE_enum(
    'strategy', 'grid', ['grid', 'optuna'], "The paper's, or Optuna's TPE.")
_STEP = flags.DEFINE_float('step', 0.1, 'Of the first level of the grid.')
_BUDGET = flags.DEFINE_integer(
    'budget', 0, 'Trials: drawn at random of each level, or of Optuna; '
    '0: the whole grid, or 200 trials.', lower_bound=0)
_SEED = flags.DEFINE_integer('seed', 0, 'Of drawing and of the order.')
_PRUNE_Z = flags.DEFINE_float(
    'prune_z', 3.0, 'Standard errors behind the best at which a trial is '
    'pruned; 0: none is.', lower_bound=0)
_BATCH = flags.DEFINE_integer(
    'batch', 64, 'Trials run at once, at most.', lower_bound=1)


def main(argv: Sequence[str]) -> None:
  """Searches; see the flags."""
  del argv
  # Late imports: a mistake in the flags is reported at once.
  from siamkpn_jax.core.cpu_devices import one_device_per_core
  from siamkpn_jax.core.errors import UserError
  from siamkpn_jax.evaluation.scoring import SCORERS
  from siamkpn_jax.tuning import report, run, search
  from siamkpn_jax.tuning.sweep import Sweep

  benchmark, data, weights = _BENCHMARK.value, _DATA.value, _WEIGHTS.value
  if benchmark is None or benchmark not in SCORERS:
    raise UserError(f'--benchmark {benchmark}: expected one of '
                    f'{", ".join(sorted(SCORERS))}')
  if not (data and weights and all(weights) and _OUTPUT.value):
    raise UserError('--data, --weights and --output must not be empty')
  output = Path(_OUTPUT.value)
  plan = search.Plan(_STRATEGY.value, _STEP.value, _BUDGET.value, _SEED.value,
                     _BATCH.value)
  request = run.Request(
      benchmark, Path(data), tuple(map(Path, weights)), output,
      _PROTOCOL.value, tuple(_SEQUENCES.value), tuple(_ZERO_BASED.value),
      _LAST.value, _PRUNE_Z.value, plan)
  one_device_per_core()
  result = run.run(request, lambda checkpoint, found: Sweep(
      checkpoint, found.videos, found.vot_protocol))
  print(report.table(result))
  print(report.conclusion(result, output / run.TUNED))


if __name__ == '__main__':
  flags.mark_flags_as_required(['benchmark', 'data', 'weights', 'output'])
  cli.run(main)
