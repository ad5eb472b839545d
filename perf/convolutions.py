"""The forms of each convolution, in turns, on this machine.

  python -m perf.convolutions

For the shapes of the compact model and of kpn3s: milliseconds of each form
(medians of --rounds turns), compiled as the tracker is, and of the form that
runs compiled as JAX does by itself. The largest difference of two forms, of the
largest value, stands at the end of a row. What the models choose on a CPU
(convolutions.py, correlation.py and inference.py of siamkpn_jax/models) is
marked by a star; a star that is not the fastest of its row by far is worth a
look on that machine.
"""

import argparse
import functools
import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from perf import circumstances, turns
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, whole
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.compiling import Jitted
from siamkpn_jax.models import convolutions, correlation, winograd
from siamkpn_jax.models.inference import winograd_step

# Name, side and channels of the input, side of the kernel, outputs, stride.
_IMAGES = [('image', 255, 3, 3, 32, 2), ('image', 255, 3, 7, 64, 2)]
_POINTWISE = [('1x1', 127, 16, 1, 96, 1), ('1x1', 63, 144, 1, 24, 1),
              ('1x1', 31, 240, 1, 40, 1), ('1x1', 16, 672, 1, 112, 1),
              ('1x1', 31, 80, 1, 80, 1), ('1x1', 31, 1024, 1, 256, 1)]
# 3x3 of stride 1, padded by their dilation: the last number.
_FULL = [('3x3', 31, 256, 3, 256, 1), ('3x3', 31, 512, 3, 512, 4),
         ('3x3', 31, 1024, 3, 2048, 2)]
_DEPTHWISE = [('depth-wise', 127, 96, 3, 96, 2),
              ('depth-wise', 65, 144, 3, 144, 1),
              ('depth-wise', 35, 240, 5, 240, 1),
              ('depth-wise', 20, 672, 5, 672, 1)]
_CORRELATION = [('correlation', 35, 80, 5, 80, 1),
                ('correlation', 35, 256, 5, 256, 1)]

Form = Callable[[jax.Array, jax.Array], jax.Array]


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  turns.add_flags(parser, rounds=50)
  parser.add_argument(
      '--batch', type=whole(1), default=1, help='Examples.')
  parser.add_argument('--json', help='JSON file to write the figures to.')


def run(args: argparse.Namespace) -> None:
  """Prints a row per shape."""
  output = check_output(args.json, '--json', suffixes=('.json',))
  threads = turns.use_threads(args.threads)
  loads = [circumstances.load()]
  print(f'ms; batch {args.batch}')
  rows = []
  for case in (*_IMAGES, *_POINTWISE, *_FULL, *_DEPTHWISE,
               *_CORRELATION):
    rows.append(_measure(case, args.batch, args.rounds))
    print(_line(rows[-1]), flush=True)
  found = circumstances.describe(threads, [*loads, circumstances.load()])
  print(circumstances.line(found))
  if output:
    circumstances.write(output, {'rows': rows, 'rounds': args.rounds, **found})


def _forms(kind: str, stride: int, kernel: tuple[int, ...]
           ) -> tuple[str, dict[str, Form]]:
  """The chosen form's name, and all."""
  part = functools.partial
  taps = kernel[0] * kernel[1]
  if kind == 'image':
    few = taps <= convolutions.FEW_TAPS
    return 'shifted' if few else 'convolution', {
        'convolution': part(convolutions.narrow_convolution, stride=stride),
        'shifted': part(convolutions.narrow_shifted, stride=stride)}
  if kind == '1x1':
    return 'product', {'convolution': convolutions.pointwise_convolution,
                       'product': convolutions.pointwise_product}
  if kind == '3x3':
    around = {'padding': stride, 'dilation': stride}
    return f'winograd {winograd_step(kernel)}', {
        'convolution': part(convolutions.convolution, stride=1, **around),
        **{f'winograd {step}': part(winograd.convolve, **around)
           for step in (2, 4)}}
  if kind == 'depth-wise':
    return 'shifted', {
        'grouped': part(convolutions.depthwise_grouped, stride=stride),
        'shifted': part(convolutions.depthwise_shifted, stride=stride)}
  return 'shifted', {'grouped': correlation.correlate_grouped,
                     'shifted': correlation.correlate_shifted}


def _measure(case: tuple[str, int, int, int, int, int], batch: int,
             rounds: int) -> dict[str, Any]:
  kind, side, channels, size, outputs, stride = case
  rng = np.random.default_rng(0)
  normal = lambda *shape: jax.device_put(
      rng.normal(size=shape).astype(np.float32))
  x = normal(batch, side, side, channels)
  shape = {'depth-wise': (size, size, 1, channels),
           'correlation': (batch, size, size, channels)}.get(
               kind, (size, size, channels, outputs))
  kernel = normal(*shape)
  chosen, forms = _forms(kind, stride, shape)
  programs: dict[str, Any] = {
      name: Jitted(form).jitted for name, form in forms.items()}
  programs['by itself'] = jax.jit(forms[chosen])
  calls = {name: functools.partial(program, x, _given(
      chosen if name == 'by itself' else name, kernel))
           for name, program in programs.items()}
  results = [np.asarray(call()) for call in calls.values()]
  largest = np.abs(results[0]).max()
  seconds = turns.take_turns(
      {name: functools.partial(turns.timed, call, before=1)
       for name, call in calls.items()}, rounds)
  return {'kind': kind, 'x': list(x.shape), 'kernel': list(shape),
          'stride': stride, 'chosen': chosen,
          'ms': {name: 1e3 * statistics.median(values)
                 for name, values in seconds.items()},
          'difference': float(max(np.abs(r - results[0]).max()
                                  for r in results) / largest)}


def _given(form: str, kernel: jax.Array) -> jax.Array:
  """The kernel as a form takes it: Winograd's, transformed beforehand."""
  name, _, step = form.partition(' ')
  if name != 'winograd':
    return kernel
  return jax.device_put(
      winograd.transform_kernel(np.asarray(kernel), int(step)))


def _line(row: Mapping[str, Any]) -> str:
  shape = 'x'.join(map(str, row['x']))
  kernel = 'x'.join(map(str, row['kernel']))
  times = '  '.join(
      f'{name}{"*" if name == row["chosen"] else ""} {ms:.3f}'
      for name, ms in row['ms'].items())
  return (f'{row["kind"]:12} {shape:16} {kernel:14} /{row["stride"]}  {times}  '
          f'({row["difference"]:.0e})')


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.convolutions'))
