"""The functions of the public API, importable from `siamkpn_jax`.

Each does what the command of the same name does, without printing a table.
"""

import contextlib
from collections.abc import Collection, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamkpn_jax.config.settings import Config

if TYPE_CHECKING:
  from siamkpn_jax.tracking.follow import FrameResult


def train(config: str | Path | Config, workdir: str | Path, *,
          overrides: Sequence[str] = (), resume: bool = True) -> Path:
  """Trains a tracker on this host.

  Args:
    config: a `Config`, a packaged name or a path, such as 'kpn3s:otb' or
      'configs/kpn3s.py'.
    workdir: folder for checkpoints and logs.
    overrides: settings to override, such as 'train.batch_size=16'; only with a
      name or path.
    resume: resume from the newest checkpoint in `workdir`.

  Returns:
    `workdir`, which `load_tracker` accepts.

  Raises:
    UserError: an invalid setting, missing data, or a run in `workdir` that
      cannot be resumed.
    Preempted: after SIGINT or SIGTERM, once the state is saved.

  Examples:
    Two steps of the smallest configuration on rendered videos:

    >>> import siamkpn_jax, tempfile
    >>> workdir = siamkpn_jax.train('demo', tempfile.mkdtemp(), overrides=[
    ...     'train.batch_size=4', 'train.pairs_per_epoch=8',
    ...     'validation.sequences=0'])
    >>> siamkpn_jax.load_tracker(workdir).score
    0.0
  """
  from siamkpn_jax.config.files import load_config
  from siamkpn_jax.core.errors import UserError
  from siamkpn_jax.datasets import catalog
  from siamkpn_jax.training import trainer

  if not isinstance(config, Config):
    config = load_config(str(config), overrides)
  elif overrides:
    raise UserError('overrides: only with the name or path of a configuration; '
                    'expected none beside a Config: use its `updated`')
  sources = catalog.open_sources(config.data, config.seed)
  trainer.train(config, Path(workdir), sources, resume=resume)
  return Path(workdir)


def evaluate(benchmark: str, data: str | Path, output: str | Path, *,
             weights: str | Path | None = None, protocol: str | None = None,
             sequences: Collection[str] = (),
             zero_based: Collection[str] = (), batch: int | None = None,
             hyperparameters: Mapping[str, Any] | None = None,
             engine: str | None = None, precision: str = 'float32',
             long_term: bool = False) -> dict[str, Any]:
  """Runs a tracker on a benchmark and scores the results.

  Args:
    benchmark: benchmark whose layout and protocol to use, such as 'otb',
      'got10k' or 'vot2018'.
    data: folder of the benchmark, with annotations and images.
    output: folder for the results; sequences with a result are not run again.
    weights: the workdir of a run, a checkpoint, a .safetensors file, or the
      name of a packaged model; None for the default packaged model.
    protocol: scoring protocol; None for the benchmark's own.
    sequences: names or patterns of sequences; empty for all.
    zero_based: names or patterns of OTB sequences with 0-based annotations.
    batch: number of sequences to track at once, 1 or more; None to choose
      automatically.
    hyperparameters: of tracking, such as {'penalty_k': 0.1}, that replace those
      stored with the weights.
    engine: what runs the network: 'jax' or 'onnxruntime', of the extra
      'export'. Boxes differ by rounding. None: 'jax', for int8 'onnxruntime'.
    precision: as for `load_tracker`.
    long_term: as for `load_tracker`.

  Returns:
    The scores, as in summary.json.

  Raises:
    UserError: invalid data, weights or settings, or `output` holds results of
      other ones.

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
  from siamkpn_jax.evaluation.run.load import load_for_sequences

  plan = evaluation.make_plan(evaluation.EvaluationRequest(
      benchmark, Path(data), Path(output), protocol, tuple(sequences),
      tuple(zero_based)))
  tracker, details = load_for_sequences(
      weights, [len(job.task.frames) for job in plan.left()], batch=batch,
      hyperparameters=hyperparameters, engine=engine, precision=precision,
      long_term=long_term)
  summary = evaluation.run(plan, tracker, details,
                           remarks={'checkpoint': str(weights or DEFAULT)})
  assert summary is not None  # which stands for the shards of other hosts
  return summary


def track_video(path: str | Path, boxes: Any, *,
                weights: str | Path | None = None, engine: str = 'auto',
                precision: str = 'float32', start_frame: int = 1,
                timeout: float = 10.0, heatmaps: bool = False,
                long_term: bool = False, **hyperparameters: Any
                ) -> 'Generator[FrameResult, None, None]':
  """Tracks targets through a video, frame by frame.

  What is wrong with the video, a box or the weights is raised by the call, not
  by the first frame; a frame that cannot be read, when it is its turn.

  Args:
    path: a video file, a folder or pattern of images, a camera's index, or a
      URL.
    boxes: of the targets in the first frame: one [4] left, top, width, height
      in pixels, several of them, or a mapping from ids to them; or the path of
      a file of boxes (docs/tracking.md), which may start later.
    weights: as for `load_tracker`.
    engine: as for `load_tracker`.
    precision: as for `load_tracker`.
    start_frame: number of the first frame, from 1.
    timeout: seconds to wait for a camera or stream that sends nothing.
    heatmaps: keep those of every stage in the results' `sights`.
    long_term: as for `load_tracker`.
    **hyperparameters: as for `load_tracker`, but `color`.

  Returns:
    A generator: for each frame its `number`, its `time` in seconds, the `frame`
    itself and its `targets`: by id `box_xywh`, `score`, `state`, 'tracked' or
    'lost', and `confidence`, None where it is not known. Leaving the loop
    closes the video.

  Raises:
    UserError: a video, box, file or weights that cannot be used.

  Examples:
    Two targets in a folder of images:

    >>> import pathlib, siamkpn_jax, tempfile
    >>> from siamkpn_jax.datasets import synthetic
    >>> data = pathlib.Path(tempfile.mkdtemp())
    >>> (name,) = synthetic.write_otb(data, seed=0, count=1, length=3)
    >>> for result in siamkpn_jax.track_video(
    ...     data / name, [(50, 50, 40, 40), (90, 60, 30, 30)]):
    ...   print(result.number, list(result.targets))
    1 [1, 2]
    2 [1, 2]
    3 [1, 2]
  """
  from siamkpn_jax.core.errors import UserError
  from siamkpn_jax.tracking.callers_boxes import as_given
  from siamkpn_jax.tracking.follow import check_boxes, follow
  from siamkpn_jax.tracking.load import load_for_targets
  from siamkpn_jax.tracking.video import open_frames

  if 'color' in hyperparameters:
    raise UserError('color: expected none, as the frames of a video are BGR')
  with contextlib.ExitStack() as stack:
    source = stack.enter_context(
        open_frames(path, start=start_frame, timeout=timeout))
    given = as_given(boxes, start_frame, source.count, source.size,
                     source.rate)
    check_boxes(given, source)
    tracker = load_for_targets(
        weights, len(given), engine=engine, precision=precision,
        every_stage=heatmaps, long_term=long_term, **hyperparameters)
    stack.pop_all()  # the video stays open for the generator

  def results() -> 'Generator[FrameResult, None, None]':
    with source:
      yield from follow(tracker, source, given, sights=heatmaps)

  return results()


def score(benchmark: str, annotations: str | Path, results: str | Path, *,
          protocol: str | None = None, attributes: str | Path | None = None,
          sequences: Collection[str] = (), shift: float = 0) -> dict[str, Any]:
  """Scores result files of any tracker.

  Args:
    benchmark: benchmark that was tracked, such as 'otb', 'got10k' or 'vot2018'.
    annotations: folder of the benchmark, or an annotation file in pysot's JSON
      format.
    results: folder with the result files.
    protocol: scoring protocol; None for the benchmark's own.
    attributes: file or folder with the attributes of the sequences; None for
      those next to the annotations.
    sequences: names or patterns of sequences; empty for all.
    shift: pixels to add to x and y of the results.

  Returns:
    The scores, as a dict that can be written as JSON.

  Raises:
    UserError: an unknown protocol, or files that cannot be scored.

  Examples:
    Using the annotations themselves as results:

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
  return scoring.score(scoring.ScoringRequest(
      benchmark, Path(annotations), Path(results), protocol,
      Path(attributes) if attributes else None, tuple(sequences), shift))


def convert(source: str | Path, output: str | Path, *, to: str = 'jax',
            part: str = 'network', config: str | Path | None = None) -> Path:
  """Converts PyTorch weights to a checkpoint, or a checkpoint to PyTorch.

  Args:
    source: file of weights, its suffix one of `conversion.files.SUFFIXES`; with
      to='torch', a checkpoint.
    output: new folder for the checkpoint and a report; with to='torch', a new
      file of such a suffix.
    to: 'jax' or 'torch'.
    part: 'network' for a whole SiamKPN, 'backbone' for the backbone of any
      SiamRPN++-style tracker or torchvision ResNet.
    config: configuration whose tracking settings are stored with the weights;
      None for the published one with the same number of stages. Only with
      to='jax'.

  Returns:
    `output`, which `load_tracker` accepts if it holds a whole network.

  Raises:
    UserError: `source` cannot be read or does not match, or `output` exists.

  Examples:
    Converting the backbone of the packaged model to PyTorch:

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

  if part not in ('network', 'backbone'):
    raise UserError(f"part={part!r}: expected 'network' or 'backbone'")
  if to not in ('jax', 'torch') or (to == 'torch' and config):
    raise UserError(f"to={to!r}: expected 'jax', or 'torch' without a config")
  if to == 'torch':
    conversion.to_torch(Path(source), Path(output), part)
  else:
    settings = load_config(str(config)) if config else None
    conversion.to_jax(Path(source), Path(output), part, settings)
  return Path(output)


def export(weights: str | Path, output: str | Path, *,
           format: str = 'safetensors', precision: str = 'float32',
           batch: str = 'any', overwrite: bool = False,
           hyperparameters: Mapping[str, Any] | None = None) -> Path:
  """Exports weights and settings for this or another program.

  Args:
    weights: the workdir of a run, a checkpoint, a .safetensors file, or the
      name of a packaged model.
    output: with format='safetensors' a file, which `load_tracker` accepts; else
      a new folder.
    format: 'safetensors', 'onnx' or 'stablehlo', see docs/export.md.
    precision: 'float32', or with format='onnx' 'float16' or, for an
      EfficientNet, 'int8' (docs/deploy.md).
    batch: 'any', or with format='onnx' '1': the programs take one target at a
      time, in less time.
    overwrite: replace the file if it exists.
    hyperparameters: of tracking, such as {'penalty_k': 0.1}, that replace those
      stored with the weights.

  Returns:
    `output`.

  Raises:
    UserError: `weights` cannot be read or exported, or nothing can be written
      at `output`.
    RuntimeError: what was exported computes something else than JAX; nothing is
      written.

  Examples:
    The packaged model with another hyperparameter:

    >>> import pathlib, siamkpn_jax, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), 'nano.safetensors')
    >>> siamkpn_jax.export('kpn3s_nano', file,
    ...                    hyperparameters={'size_lr': 0.5}).name
    'nano.safetensors'
  """
  from siamkpn_jax.tracking.export import run

  run.export(weights, output, format, overwrite=overwrite,
             tracking=hyperparameters, precision=precision, batch=batch)
  return Path(output)
