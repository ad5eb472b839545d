"""What the training loop costs around the compiled step.

  python -m perf.train_loop --config configs/demo.py

Runs the real loop (siamkpn_jax.train's) on patches that lie in memory, with no
checkpoint but the last. Within the one run, turns of the loop and of the bare
step alternate, train.log_every steps each, so a turn of the loop has one line
of the log. The bare step is the same compiled program on a batch that is on
the device. Compiling, the start and the end of the run are not counted.

What is left to the loop: putting batches together and on the device, the log,
the progress bar.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from perf import turns
from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser, Switch
from siamkpn_jax.config.settings import Config
from siamkpn_jax.datasets.tracks import Dropped
from siamkpn_jax.training import trainer


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  config_flags.add_config_argument(
      parser, 'Configuration file.', required=True)
  parser.add_argument(
      '--frozen', action=Switch, default=False,
      help='The step of the first epochs, whose backbone is frozen.')
  turns.add_flags(parser, rounds=10)


def run(args: argparse.Namespace) -> None:
  """Measures and prints."""
  threads = turns.use_threads(args.threads)
  config = config_flags.load(args)
  config = _run_config(config, args)
  clock = _Turns(config.train.log_every)
  jit_step = trainer.jit_step
  with (tempfile.TemporaryDirectory() as folder,
        mock.patch.object(
            trainer, 'jit_step',
            lambda *args, **kwargs: clock.around(jit_step(*args, **kwargs)))):
    trainer.train(config, Path(folder), [_InMemory()])
  print(f'{config.name}, {config.train.batch_size} pairs, backbone '
        f'{"frozen" if args.frozen else "trains"}; {jax.device_count()} '
        f'{jax.devices()[0].device_kind}, {threads} threads; {args.rounds} '
        f'turns of {config.train.log_every} steps')
  print(f'loop {1e3 * np.median(clock.loop):10.2f} ms/step (median)')
  print(f'step {1e3 * np.median(clock.bare):10.2f} ms/step')
  print(f'loop / step: {turns.ratio(clock.loop, clock.bare)}')
  overhead = 100 * (np.median(np.divide(clock.loop, clock.bare)) - 1)
  print(f'overhead {overhead:+.1f} %')


def _run_config(config: Config, args: argparse.Namespace) -> Config:
  """A run of just as many steps as the turns take."""
  # A first turn that is not counted; one step more closes the last turn.
  steps = (1 + args.rounds) * config.train.log_every + 1
  return config.updated(
      data={'sets': ('memory',), 'ratios': (1.0,), 'ranges': (30,),
            'loader': 'threads'},
      train={'epochs': 1, 'freeze_epochs': int(args.frozen),
             'pairs_per_epoch': steps * config.train.batch_size,
             'save_every': steps + 1, 'max_skipped': 0},
      validation={'sequences': 0, 'rendered': 0})


class _InMemory:
  """A source that costs nothing: noise, cut to size once."""

  name = kind = 'memory'
  num_tracks, total_frames = 1000, 30_000
  dropped = Dropped()

  def __init__(self):
    self._patches: dict[int, np.ndarray] = {}

  def num_frames(self, unused_track: int) -> int:
    """See `Source`."""
    return 30

  def read(self, unused_track: int, unused_position: int,
           patch: int) -> tuple[np.ndarray, np.ndarray]:
    """See `Source`."""
    if patch not in self._patches:
      self._patches[patch] = np.random.default_rng(0).integers(
          0, 256, (patch, patch, 3), np.uint8)
    return self._patches[patch], np.array([60, 50], np.float32)


class _Turns:
  """Stands around the loop's step and takes turns with it.

  Attributes:
    loop: seconds per step of the loop, turn by turn.
    bare: of the step alone, each turn right after one of the loop.
  """

  def __init__(self, length: int):
    """Steps in a turn."""
    self.loop: list[float] = []
    self.bare: list[float] = []
    self._length = length
    self._calls = 0
    self._since = 0.0

  def around(self, jitted: Callable[..., Any]) -> Callable[..., Any]:
    """The same step; a turn ends before every so many calls."""
    def step(state, batch):
      self._calls += 1
      if self._calls > 1 and (self._calls - 1) % self._length == 0:
        jax.block_until_ready(state)
        seconds = time.perf_counter() - self._since
        if self._calls > 1 + self._length:
          self.loop.append(seconds / self._length)
          self.bare.append(self._run_bare(jitted, state, batch))
        self._since = time.perf_counter()
      return jitted(state, batch)
    return step

  def _run_bare(self, jitted: Callable[..., Any], state: Any,
                batch: Any) -> float:
    """Seconds per step of a turn without the loop, on a copy of the state."""
    state = jax.block_until_ready(jax.tree.map(jnp.copy, state))
    start = time.perf_counter()
    for _ in range(self._length):
      state, _ = jitted(state, batch)
    jax.block_until_ready(state)
    return (time.perf_counter() - start) / self._length


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.train_loop'))
