"""The vot-toolkit as a program, in its own environment, for slow tests.

The toolkit is GPL and therefore never imported: it runs as a program in a
virtual environment that is made on the first run and kept in pytest's cache.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

PACKAGES = ('vot-toolkit==0.7.4', 'attributee<0.1.10')

STACK = '''title: local
experiments:
  baseline:
    type: supervised
    repetitions: 15
    skip_initialize: 5
    analyses:
      - type: supervised_average_ar
      - type: supervised_ar
      - type: cumulative_failures
      - type: supervised_eao_score
        low: {}
        high: {}
      - type: supervised_eao_curve
'''


def make_environment(folder):
  """Returns the `bin` folder of an environment with the toolkit, or skips."""
  done = folder / 'done'
  if not done.exists():
    subprocess.run([sys.executable, '-m', 'venv', '--clear', folder],
                   check=True)
    installed = subprocess.run(
        [folder / 'bin' / 'pip', 'install', '--quiet', *PACKAGES],
        check=False, capture_output=True, text=True)
    if installed.returncode:
      pytest.skip(f'cannot install vot-toolkit: {installed.stderr[-300:]}')
    done.write_text('')
  return folder / 'bin'


def write_workspace(workspace, window):
  """A workspace with the supervised experiment; no trackers, no sequences.

  Args:
    workspace: its folder, which is there.
    window: lengths that EAO averages over.
  """
  (workspace / 'config.yaml').write_text(
      'registry: [./trackers.ini]\nstack: ./stack.yaml\n')
  (workspace / 'stack.yaml').write_text(STACK.format(*window))


def vot(toolkit, workspace, *args):
  """Runs a command of the toolkit in a workspace; returns what it prints."""
  done = subprocess.run(
      [toolkit / 'vot', *args], check=False, cwd=workspace, text=True,
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
  assert done.returncode == 0, done.stdout[-2000:]
  return done.stdout


def analyze(toolkit, workspace, trackers):
  """Runs `vot analysis`; tracker -> its numbers."""
  said = vot(toolkit, workspace, 'analysis', '--format', 'json', '--name',
             'out', *trackers)
  report = workspace / 'analysis' / 'out.json'
  assert report.exists(), said[-2000:]
  found = json.loads(report.read_text())
  means, single, failures, scores, curves = (
      found['results']['baseline']['results'])
  # Rows are as the trackers were given; single: all sequences of one tracker.
  per = len(single) // len(trackers)
  assert list(found['trackers']) == list(trackers)
  return {
      name: {'accuracy': means[i][0], 'robustness': means[i][1],
             'failures': failures[i][0], 'eao': scores[i][0],
             'curve': curves[i][0], 'sequences': single[per * i:per * (i + 1)]}
      for i, name in enumerate(trackers)}


def assert_equal(ours, theirs):
  """Our scores of a tracker and the toolkit's of `analyze`."""
  for key in ('accuracy', 'robustness', 'failures', 'eao'):
    assert ours[key] == pytest.approx(theirs[key], abs=1e-6), key
  np.testing.assert_allclose(ours['eao_curve'][1:], theirs['curve'][1:],
                             atol=1e-6)
  for own, other in zip(ours['sequences'].values(), theirs['sequences'],
                        strict=True):
    assert own['accuracy'] == pytest.approx(other[0], abs=1e-6)
    assert (own['failures'], own['frames']) == (other[1], other[3])
