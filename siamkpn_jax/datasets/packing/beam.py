"""Options of the Beam pipeline that makes the crops."""

import contextlib
import io
import logging

import tensorflow_datasets as tfds

from siamkpn_jax.core.errors import UserError

_FLAG = '--beam_pipeline_options'
_FILES = 16  # of a part; a file is what one worker writes


def beam_download(text: str) -> tfds.download.DownloadConfig:
  """How TFDS runs the pipeline, by 'name=value,...' as Beam takes them.

  Raises:
    UserError: Beam is missing, or does not know an option or the runner.
  """
  try:
    from apache_beam.options.pipeline_options import (
        PipelineOptions,
        StandardOptions,
    )
    from apache_beam.runners import create_runner
  except ImportError as error:
    raise UserError(f'{_FLAG}: needs Apache Beam ({error}): pip install '
                    "'siamkpn_jax[tf,beam]', or omit the flag") from error
  logging.getLogger('apache_beam').setLevel(logging.CRITICAL)
  complaint = io.StringIO()
  try:
    with contextlib.redirect_stderr(complaint):
      options = PipelineOptions([f'--{option}' for option in text.split(',')])
      known = options.get_all_options(drop_default=True)
      runner = options.view_as(StandardOptions).runner
      if runner:
        create_runner(runner)
    every = options.get_all_options(
        drop_default=True, retain_unknown_options=True)
  # Of argparse, and of a runner that is unknown or lacks a package.
  except (SystemExit, ValueError, TypeError, ImportError, AttributeError
          ) as error:
    last = complaint.getvalue().strip().splitlines()[-1:] or [str(error)]
    raise UserError(f'{_FLAG}={text}: {" ".join(last[0].split())}; expected '
                    'runner=NAME and other options of Beam') from error
  unknown = sorted(every.keys() - known.keys())
  if unknown:
    raise UserError(f'{_FLAG}={text}: unknown option {unknown[0]}; expected '
                    'runner=NAME and other options of Beam')
  return tfds.download.DownloadConfig(
      beam_options=options, nondeterministic_order=True, num_shards=_FILES)
