"""One-pass evaluation: runs a tracker over sequences and scores it.

Result files, with pixels counted as the annotation does:

  <output>/<name>.txt, <output>/times/<name>.txt
  <output>/<name>/<name>_001.txt, <output>/<name>/<name>_time.txt   GOT-10k
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.file_names import file_name
from siamkpn_jax.evaluation.formats import results
from siamkpn_jax.evaluation.formats.sequences import Video
from siamkpn_jax.evaluation.metrics import ope
from siamkpn_jax.evaluation.run import jobs
from siamkpn_jax.evaluation.run.experiments import one_pass_task
from siamkpn_jax.evaluation.run.jobs import Job
from siamkpn_jax.evaluation.run.protocol import MultiTargetTracker


def one_pass_job(sequence: Video, root: Path, benchmark: str) -> Job:
  """A sequence to run in one pass, its files below a folder."""
  name = file_name(sequence.name)
  path, time_path = root / f'{name}.txt', root / 'times' / f'{name}.txt'
  if benchmark == 'got10k':
    path = root / name / f'{name}_001.txt'
    time_path = root / name / f'{name}_time.txt'
  return Job(
      one_pass_task(sequence), path, time_path,
      lambda boxes: results.write_boxes(path, boxes, origin=sequence.origin),
      lambda: read_boxes(path, sequence))


def read_boxes(path: Path, sequence: Video) -> np.ndarray:
  """[t, 4] 0-based boxes of a result file of a sequence.

  Raises:
    UserError: missing, damaged, or not one box per frame.
  """
  boxes = results.read_boxes(path, origin=sequence.origin)
  if len(boxes) != len(sequence):
    raise UserError(
        f'{path}: {len(boxes)} boxes, but {sequence.name} has {len(sequence)} '
        'frames; expected one box per frame: run the tracker again on this '
        'sequence')
  if not np.allclose(boxes[0], sequence.boxes_xywh[0], rtol=0, atol=1e-3):
    raise UserError(
        f'{path}: the first box differs from the annotation; expected the box '
        'that the tracker was initialized with: run the tracker again on this '
        'sequence')
  return boxes


def run_one_pass(tracker: MultiTargetTracker, sequences: Collection[Video],
                 output_dir: str | Path, *, progress: bool = True
                 ) -> dict[str, Any]:
  """Runs and scores a tracker; results that are there are overwritten.

  Args:
    tracker: see `MultiTargetTracker`.
    sequences: at least one, with different names.
    output_dir: folder for the files; made if it is missing.
    progress: show a progress bar on stderr.

  Returns:
    The summary as in summary.json: figures by the rule of `ope.PROTOCOL`.
    `frames_per_second` is the speed of the tracker alone, None where the
    sequences are too short to tell; `frames_per_second_end_to_end` counts
    reading images and everything else.

  Raises:
    UserError: no sequences, two of the same name, a file that cannot be
      written, or see `jobs.run_jobs`.
  """
  jobs.check_names([s.name for s in sequences])
  output_dir = results.make_folder(output_dir)  # not after an hour's work
  todo = [one_pass_job(s, output_dir, '') for s in sequences]
  end_to_end = jobs.run_jobs(tracker, todo, progress=progress)
  scores = {s.name: ope.score_sequence(read_boxes(job.path, s), s.boxes_xywh)
            for s, job in zip(sequences, todo, strict=True)}
  mean = ope.mean_score(scores)
  summary = {
      'protocol': ope.PROTOCOL,
      'num_sequences': len(scores),
      'num_frames': mean.frames,
      'success_auc': mean.success_auc,
      'precision_20': mean.precision_20,
      'frames_per_second': jobs.update_speed(todo),
      'frames_per_second_end_to_end': end_to_end,
      'sequences': {
          name: {'success_auc': score.success_auc,
                 'precision_20': score.precision_20, 'frames': score.frames}
          for name, score in scores.items()},
      'success_curve': mean.success_curve.tolist(),
      'precision_curve': mean.precision_curve.tolist(),
  }
  results.write_summary(output_dir / 'summary.json', summary)
  return summary
