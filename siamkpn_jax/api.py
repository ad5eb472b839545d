"""The functions of the public API, as `siamkpn_jax` has them.

Each does what the command of its name does, without printing a table.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from siamkpn_jax.config.settings import Config


def train(config: str | Path | Config, workdir: str | Path, *,
          overrides: Sequence[str] = (), resume: bool = True) -> Path:
  """Trains a tracker on this host.

  Args:
    config: a `Config`, or the name of a packaged configuration or a file, with
      an optional argument: 'kpn3s:otb', 'configs/kpn3s.py'.
    workdir: folder for checkpoints and logs.
    overrides: changes of a file's settings: 'train.batch_size=16'.
    resume: go on from the newest checkpoint in `workdir`.

  Returns:
    `workdir`, which `load_tracker` takes.

  Raises:
    UserError: a wrong setting, missing data, or a run in `workdir` that cannot
      be continued.
    Preempted: after SIGINT or SIGTERM, when the state is saved.

  Examples:
    Two steps of the smallest configuration, on rendered videos:

    >>> import siamkpn_jax, tempfile
    >>> workdir = siamkpn_jax.train('demo', tempfile.mkdtemp(), overrides=[
    ...     'train.batch_size=4', 'train.pairs_per_epoch=8',
    ...     'validation.sequences=0'])
    >>> siamkpn_jax.load_tracker(workdir)  # doctest: +ELLIPSIS
    <siamkpn_jax.tracking.tracker.Tracker object at ...>
  """
  from siamkpn_jax.config.files import load_config
  from siamkpn_jax.datasets import catalog
  from siamkpn_jax.training import trainer

  if not isinstance(config, Config):
    config = load_config(str(config), overrides)
  sources = catalog.open_sources(config.data, config.seed)
  trainer.train(config, Path(workdir), sources, resume=resume)
  return Path(workdir)


def evaluate(benchmark: str, data: str | Path, output: str | Path, *,
             weights: str | Path | None = None, protocol: str | None = None,
             sequences: Collection[str] = (),
             zero_based: Collection[str] = (), tracking: str = '',
             batch: int | None = None) -> dict[str, Any]:
  """Tracks the sequences of a benchmark and scores the results.

  Args:
    benchmark: its layout and protocol: 'otb', 'got10k', 'vot2018', ...
    data: its folder, annotations and images.
    output: folder for the results; what is there already is not run again.
    weights: a run's workdir, a checkpoint, a file of weights or the name of a
      packaged model; None: the default one.
    protocol: the rule of the scores; None: the benchmark's own.
    sequences: names or patterns; empty for all.
    zero_based: names or patterns of OTB sequences that count pixels from 0.
    tracking: 'penalty_k=0.1,...', other tracking settings than the weights'.
    batch: sequences tracked at once; None: what suits the devices.

  Returns:
    The scores, as in summary.json.

  Raises:
    UserError: data, weights or settings that cannot be used, or results in
      `output` of other ones.

  Examples:
    >>> import siamkpn_jax, tempfile
    >>> from siamkpn_jax.datasets import synthetic
    >>> data = tempfile.mkdtemp()
    >>> synthetic.write_otb(data, seed=0, count=1, length=4)
    ['synthetic_000']
    >>> scores = siamkpn_jax.evaluate('otb', data, tempfile.mkdtemp())
    >>> scores['num_frames'], 0 < scores['success_auc'] <= 1
    (4, True)
  """
  from siamkpn_jax.checkpoints.packaged import DEFAULT
  from siamkpn_jax.evaluation.run import evaluation
  from siamkpn_jax.evaluation.run.load import load_batch_tracker

  plan = evaluation.make_plan(evaluation.Request(
      benchmark, Path(data), Path(output), protocol, tuple(sequences),
      tuple(zero_based)))
  tracker, details = load_batch_tracker(
      weights, [len(job.task.frames) for job in plan.left()], batch=batch,
      settings=tracking)
  summary = evaluation.run(plan, tracker, details,
                           remarks={'checkpoint': str(weights or DEFAULT)})
  assert summary is not None  # which stands for the shards of other hosts
  return summary


def score(benchmark: str, annotations: str | Path, results: str | Path, *,
          protocol: str | None = None, attributes: str | Path | None = None,
          sequences: Collection[str] = (), shift: float = 0) -> dict[str, Any]:
  """Scores result files of any tracker.

  Args:
    benchmark: what was tracked: 'otb', 'got10k', 'vot2018', ...
    annotations: its folder, or a JSON file as pysot has them.
    results: folder of result files.
    protocol: the rule of the scores; None: the benchmark's own.
    attributes: file or folder with the attributes of the sequences; None: what
      lies beside the annotations.
    sequences: names or patterns; empty for all.
    shift: added to x and y of the results, pixels.

  Returns:
    The scores, ready for JSON.

  Raises:
    UserError: an unknown protocol, or files that cannot be scored.

  Examples:
    The annotations themselves as results:

    >>> import pathlib, siamkpn_jax, shutil, tempfile
    >>> from siamkpn_jax.datasets import synthetic
    >>> data, results = tempfile.mkdtemp(), tempfile.mkdtemp()
    >>> (name,) = synthetic.write_otb(data, seed=0, count=1, length=4)
    >>> truth = pathlib.Path(data, name, 'groundtruth_rect.txt')
    >>> _ = shutil.copy(truth, pathlib.Path(results, f'{name}.txt'))
    >>> siamkpn_jax.score('otb', data, results)['precision_20']
    1.0
  """
  from siamkpn_jax.core.errors import UserError
  from siamkpn_jax.evaluation import scoring

  if benchmark not in scoring.SCORERS:
    raise UserError(f'benchmark {benchmark!r}: expected one of '
                    f'{", ".join(sorted(scoring.SCORERS))}')
  return scoring.score(scoring.Request(
      benchmark, Path(annotations), Path(results), protocol,
      Path(attributes) if attributes else None, tuple(sequences), shift))


def convert(source: str | Path, output: str | Path, *, to: str = 'jax',
            part: str = 'network', config: str | Path | None = None) -> Path:
  """Converts PyTorch weights to a checkpoint, or back.

  Args:
    source: file of weights (.pth, .safetensors or .npz); with to='torch' a
      checkpoint.
    output: folder to make for the checkpoint and a report; with to='torch' a
      file to write.
    to: 'jax' or 'torch'.
    part: 'network' for a whole SiamKPN, 'backbone' for the backbone of any
      tracker of the SiamRPN++ family or of torchvision.
    config: configuration whose tracking settings go with the weights; None:
      the published one for as many stages. For to='jax' only.

  Returns:
    `output`, which `load_tracker` takes if it is the checkpoint of a network.

  Raises:
    UserError: the input cannot be read or does not fit, or `output` exists.

  Examples:
    The backbone of the packaged model for PyTorch:

    >>> import pathlib, siamkpn_jax, tempfile
    >>> weights = siamkpn_jax.packaged_weights()['kpn3s_nano']
    >>> siamkpn_jax.convert(
    ...     weights, pathlib.Path(tempfile.mkdtemp(), 'backbone.npz'),
    ...     to='torch', part='backbone').name
    'backbone.npz'
  """
  from siamkpn_jax.config.files import load_config
  from siamkpn_jax.conversion import run as conversion
  from siamkpn_jax.core.errors import UserError

  if to not in ('jax', 'torch') or (to == 'torch' and config):
    raise UserError(f"to={to!r}: expected 'jax', or 'torch' without a config")
  if to == 'torch':
    conversion.to_torch(Path(source), Path(output), part)
  else:
    settings = load_config(str(config)) if config else None
    conversion.to_jax(Path(source), Path(output), part, settings)
  return Path(output)
