"""What perf/gpu.py measures, in which time, and what it keeps of failures."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest

from perf import gpu, in_time, inputs, turns
from perf.in_time import Measurement
from siamkpn_jax.config.settings import Config
from siamkpn_jax.models.siamkpn import build_model, init_variables


class Clock:
  """Tells the time that measurements have taken."""

  def __init__(self):
    self.now = 100.0

  def __call__(self):
    return self.now

  def measurement(self, name, needed, *steps):
    """Yields a figure, or raises an error, after one second each."""
    def run():
      for k, step in enumerate(steps):
        self.now += 1
        if isinstance(step, Exception):
          raise step
        yield {f'figure {k}': step}
    return Measurement(name, needed, run)


def test_what_does_not_fit_is_skipped(capsys):
  """A shorter one after it is not."""
  clock = Clock()
  found = in_time.measure(
      [clock.measurement('a', 5, 1.5), clock.measurement('b', 10, 1.5),
       clock.measurement('c', 9, 2.5)], 110, lambda found: None, clock=clock)
  assert found == {'a': {'figure 0': 1.5, 'seconds': 1},
                   'b': {'skipped': '9 s left, about 10 needed'},
                   'c': {'figure 0': 2.5, 'seconds': 1}}
  assert not in_time.failed(found)
  assert '9 s left, about 10 needed' in capsys.readouterr().out


def test_a_failure_keeps_what_came_before():
  clock = Clock()
  found = in_time.measure(
      [clock.measurement('a', 1, 1.5, ValueError('no memory'), 2.5),
       clock.measurement('b', 1, 3.5)], 110, lambda found: None, clock=clock)
  assert found == {
      'a': {'figure 0': 1.5, 'failed': 'ValueError: no memory', 'seconds': 2},
      'b': {'figure 0': 3.5, 'seconds': 1}}
  assert in_time.failed(found)


def test_a_killed_run_loses_nothing():
  """Every figure is saved before the next one is measured."""
  clock, saved = Clock(), []
  with pytest.raises(KeyboardInterrupt):
    in_time.measure(
        [clock.measurement('a', 1, 1.5, 2.5, _Killed())], 110,
        lambda found: saved.append(json.loads(json.dumps(found))), clock=clock)
  assert saved == [{'a': {'figure 0': 1.5}},
                   {'a': {'figure 0': 1.5, 'figure 1': 2.5}}]


class _Killed(float):
  """A figure whose printing is interrupted."""

  def __format__(self, spec):
    raise KeyboardInterrupt


@pytest.mark.parametrize(('steps', 'status'), [
    ((1.5,), 0), ((1.5, OSError('gone')), 1)])
def test_command(steps, status, monkeypatch, tmp_path, capsys):
  """The table comes last; a failure is in file, table and exit status."""
  monkeypatch.setenv('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
  row = {'ms': 1, 'share': 0.5, 'runs': 2, 'operation': 'dot', 'place': 'here'}
  plan = [Clock().measurement('a', 1, [row], *steps),
          Clock().measurement('b', 1000, 1.0)]
  monkeypatch.setattr(gpu, 'make_plan', lambda tiny: plan)
  output = tmp_path / 'new' / 'gpu.json'
  assert gpu.execute(gpu, [f'--output={output}', '--seconds=60']) == status
  found = json.loads(output.read_text())
  assert found['a']['figure 0'] == [row] and 'skipped' in found['b']
  assert ('failed' in found['a']) == bool(status)
  printed = capsys.readouterr().out
  assert printed.endswith(f'{in_time.table(found)}\n{output}\n')
  assert '50.0%      2  dot  here' in printed


def test_quartiles_in_a_line():
  assert in_time.lines({'pairs/s': turns.quartiles([1, 2, 3, 4, 5])}) == [
      f'    {"pairs/s":32} 3 (quartiles 2 to 4)']


def test_plan():
  """The most important fits into ten minutes; no name is there twice."""
  plan = gpu.make_plan(tiny=False)
  names = [one.name for one in plan]
  assert len(set(names)) == len(names) and names[0] == 'machine'
  last = names.index('training kpn3s_nano float32')
  assert sum(one.seconds for one in plan[:last + 1]) < 540


def test_needs_neither_tensorflow_nor_ml_collections():
  """Nor what writes TensorBoard's files, unless a training is measured."""
  code = ('import sys\n'
          'for name in ("ml_collections", "tensorflow", "tensorboardX", '
          '"tensorflow_datasets"):\n'
          '  sys.modules[name] = None\n'
          'from perf import gpu\n'
          'print(len(gpu.make_plan(True)), gpu.execute(gpu, ["--help"]))\n')
  done = subprocess.run([sys.executable, '-c', code], check=False,
                        capture_output=True, text=True, timeout=120)
  assert done.returncode == 0, done.stderr
  assert done.stdout.endswith(f'{len(gpu.make_plan(True))} 0\n')


def test_random_variables():
  """Shapes and types of the network's own; its constants but for biases."""
  model = build_model(Config().updated(model={
      'arch': 'resnet10', 'width': 4, 'channels': 4,
      'levels': ('layer3',)}).model)
  own, drawn = init_variables(model, 0), inputs.random_variables(model)
  assert jax.tree.structure(own) == jax.tree.structure(drawn)
  for (path, a), b in zip(jax.tree.leaves_with_path(own),
                          jax.tree.leaves(drawn), strict=True):
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    if path[-1].key == 'bias':
      assert not b.any()
    elif a.ndim == 1:
      np.testing.assert_array_equal(a, b)
