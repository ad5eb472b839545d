"""The same files scored here and by the vot-toolkit, in its own environment."""

import json
import subprocess

import numpy as np
import pytest

from siamkpn_jax.evaluation.formats import regions, vot_results
from siamkpn_jax.evaluation.formats.vot_sequences import load_vot
from siamkpn_jax.evaluation.metrics import overlap, vot
from tests.evaluation import vot_files, vot_toolkit

pytestmark = pytest.mark.slow

# Reads pairs of regions, prints their overlaps by vot-toolkit and by TraX,
# which is called as pysot calls it.
OVERLAPS = '''
import json, sys
from trax import _ctypes as trax
from vot.region import calculate_overlap
from vot.region.shapes import Polygon, Rectangle

def shape(row):
  if len(row) == 4:
    return Rectangle(*row)
  return Polygon(list(zip(row[::2], row[1::2])))

def polygon(row):
  if len(row) == 4:
    x, y, w, h = row
    row = [x, y, x + w, y, x + w, y + h, x, y + h]
  made = trax.trax_region_create_polygon(4)
  for i in range(4):
    trax.trax_region_set_polygon_point(made, i, row[2 * i], row[2 * i + 1])
  return made

width, height, pairs = json.load(sys.stdin)
bounds = trax.trax_bounds()
bounds.left = bounds.top = 0
bounds.right, bounds.bottom = width, height
print(json.dumps([
    [calculate_overlap(shape(a), shape(b), (width, height)) for a, b in pairs],
    [float(getattr(v, 'value', v)) for v in (
        trax.trax_region_overlap(polygon(a), polygon(b), bounds)
        for a, b in pairs)]]))
'''


def _analyze(toolkit, workspace, trackers, window):
  """Scores results that are there; tracker -> its numbers."""
  vot_toolkit.write_workspace(workspace, window)
  (workspace / 'trackers.ini').write_text(''.join(
      f'[{name}]\nlabel = {name}\nprotocol = trax\ncommand = none\n'
      for name in trackers))
  return vot_toolkit.analyze(toolkit, workspace, trackers)


def test_overlaps(toolkit):
  from tests.evaluation.test_overlap import H, W, _pairs
  a, b = _pairs(11, 3000)
  done = subprocess.run(
      [toolkit / 'python', '-c', OVERLAPS], check=True, capture_output=True,
      input=json.dumps([W, H, list(zip(a, b, strict=True))]), text=True)
  by_toolkit, by_trax = json.loads(done.stdout)
  a, b = regions.from_rows(a), regions.from_rows(b)
  np.testing.assert_allclose(overlap.vot_toolkit(a, b, W, H), by_toolkit,
                             rtol=0, atol=1e-12)
  # Today's TraX differs from pysot's copy in `points` alone.
  np.testing.assert_array_equal(overlap.pysot(a, b, W, H, points=True), by_trax)
  assert not np.array_equal(overlap.pysot(a, b, W, H), by_trax)


def test_random_runs(toolkit, tmp_path):
  """Several repetitions, many failures, in files that we write."""
  truth, _ = vot_files.random_case(0, [50, 33, 71, 12])
  vot_files.write_folder(tmp_path / 'sequences', truth)
  trackers = ('steady', 'lost')
  for name, rate in zip(trackers, (0.02, 0.15), strict=True):
    for k in range(3):
      runs = vot_files.random_case(k, [50, 33, 71, 12], rate)[1]
      for sequence, rows in runs.items():
        regions.write_trajectory(
            vot_results.result_file(tmp_path / 'results' / name / 'baseline',
                                    sequence, k + 1), regions.from_rows(rows))
  protocol = vot.Protocol('test', 'vot-toolkit', (10, 40), 'none')
  theirs = _analyze(toolkit, tmp_path, trackers, protocol.window)
  for name in trackers:
    vot_toolkit.assert_equal(
        vot.score_results(tmp_path / 'sequences', tmp_path / 'results' / name,
                          protocol), theirs[name])


@pytest.mark.realdata
def test_real_results(toolkit, tmp_path, real_data):
  annotations = real_data / 'annotations' / 'vot2018' / 'VOT2018.json'
  by_size = {}
  for sequence in load_vot(annotations):
    by_size.setdefault(sequence.size, {})[sequence.name] = (
        sequence.truth.rows())
  names = [s.name for s in load_vot(annotations)]
  for size, truth in by_size.items():
    vot_files.write_folder(tmp_path / 'sequences', truth, images=False,
                           size=size)
  (tmp_path / 'sequences' / 'list.txt').write_text('\n'.join(names) + '\n')
  trackers = ('LightTrack', 'SiamAPN')
  for name in trackers:
    source = real_data / 'raw_results' / 'vot2018' / name
    for path in source.glob('baseline/*/*.txt'):
      copy = tmp_path / 'results' / name / path.relative_to(source)
      copy.parent.mkdir(parents=True)
      copy.write_bytes(path.read_bytes())
  theirs = _analyze(toolkit, tmp_path, trackers, (100, 356))
  for name in trackers:
    for place in (annotations, tmp_path / 'sequences'):
      ours = vot.score_results(place, tmp_path / 'results' / name,
                               'vot2018_vot-toolkit')
      vot_toolkit.assert_equal(ours, theirs[name])
