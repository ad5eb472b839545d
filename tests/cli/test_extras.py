"""A base installation: what is missing is said at once, after wrong paths.

One process runs every command, with all optional packages hidden.
"""

import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from siamkpn_jax.cli import extras
from siamkpn_jax.datasets import synthetic
from tests.evaluation.report.summaries import one_pass

ROOT = Path(__file__).parents[2]

# command: what the one line must name.
PATHS = {
    'train --config none.py': '--config none.py',
    'inspect --config none.py': '--config none.py',
    'inspect --config demo --output data/seq': '--output data/seq',
    'shrink --config none.py --output new': '--config none.py',
    'shrink --config demo --output data': '--output data',
    'demo --weights none': 'none: no such checkpoint',
    'train-demo --config none.py --output new': '--config none.py',
    'train-demo --output file/new': '--output file/new',
    'ablate --config none.py --output new': '--config none.py',
    'ablate --config demo --output new --data none': '--data none',
    'ablate --config demo --output file': '--output file',
    'report --workdir none': '--workdir none',
    'eval --data none --output new': 'none is not a folder',
    'eval --data data --output file/new': '--output file/new',
    'eval --data data --output new --weights none': 'none: no such checkpoint',
    'compare --scores A=none.json --output new': 'none.json',
    'compare --scores A=none.json --output file/new': '--output file/new',
    'tune --benchmark otb --data none --weights kpn3s_nano --output new':
        '--data none',
    'tune --benchmark otb --data data --weights none --output new':
        'none: no such checkpoint',
    'tune --benchmark otb --data data --weights kpn3s_nano --output file/new':
        '--output file/new',
    'convert --input none.pth --output new': 'none.pth: no such file',
    'convert --input file.pth --output data': '--output data',
    'convert --to torch --input none --output new.pth':
        'none: no such checkpoint',
    'convert --to torch --input run --output file/new.pth':
        '--output file/new.pth',
    'export --weights none --output new.safetensors':
        'none: no such checkpoint',
    'pack --set none --output new': '--set none',
    'trax --weights none': 'none: no such checkpoint',
    'track --input none.mp4 --box 5,5,9,9 --boxes o.txt --engine onnxruntime':
        'none.mp4',
    'track --input data/seq/img --box 5,5,9,9 --boxes o.txt --weights none':
        'none: no such checkpoint'}
EXTRAS = {
    'train --config demo': 'train',
    'inspect --config demo': 'train',
    'shrink --config demo --output new': 'train',
    'demo --port 0': 'demo',
    'train-demo --output new': 'train',
    'ablate --config demo --output new': 'train',
    'report --workdir run': 'train',
    'eval --data data --output new': 'eval',
    'eval --data data --output new --weights run': 'eval',
    'compare --scores A=scores.json --output new': 'eval',
    'tune --benchmark otb --data data --weights kpn3s_nano --output new':
        'tune',
    'convert --input file.npz --output new': 'eval',
    'convert --input file.pth --output new': 'eval,torch',
    'convert --to torch --input run --output new.pth': 'eval,torch',
    'convert --to torch --input kpn3s_nano --output new.pth': 'torch',
    'export --weights run --output new.safetensors': 'eval',
    'pack --set data --output new': 'tf',
    'trax --weights kpn3s_nano': 'vot',
    'track --input data/seq/img --box 5,5,9,9 --boxes o.txt --weights run':
        'eval',
    'track --input data/seq/img --box 5,5,9,9 --boxes o.txt '
    '--engine onnxruntime': 'export'}

CODE = '''
import contextlib, io, json, sys
hidden, commands = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(hidden))
from siamkpn_jax.cli import siamkpn
ends = {}
for words in commands:
  with contextlib.redirect_stderr(io.StringIO()) as err:
    code = siamkpn.main(words.split())
  ends[words] = code, err.getvalue()
json.dump(ends, open('ends.json', 'w'))
'''


@pytest.fixture(scope='module')
def ends(tmp_path_factory):
  """Command -> exit status and stderr; what was there is all that there is."""
  folder = tmp_path_factory.mktemp('base')
  (folder / 'data').mkdir()
  synthetic.write_otb(folder / 'other', seed=0, count=1, length=2)
  (made,) = (folder / 'other').iterdir()
  made.rename(folder / 'data' / 'seq')
  (folder / 'run').mkdir()
  for name in ('file', 'file.pth', 'file.npz'):
    (folder / name).write_text('x')
  (folder / 'scores.json').write_text(json.dumps(one_pass()))
  before = sorted(folder.rglob('*'))
  hidden = sorted({name for names in extras.PACKAGES.values()
                   for name in names})
  subprocess.run(
      [sys.executable, '-c', CODE, json.dumps([hidden, [*PATHS, *EXTRAS]])],
      cwd=folder, check=True, timeout=300,
      env=os.environ | {'PYTHONPATH': str(ROOT)})
  result = json.loads((folder / 'ends.json').read_text())
  (folder / 'ends.json').unlink()
  assert sorted(folder.rglob('*')) == before
  return result


@pytest.mark.parametrize('words', PATHS)
def test_a_wrong_path_comes_first(ends, words):
  code, err = ends[words]
  (line,) = err.splitlines()
  assert code == 2 and PATHS[words] in line and 'pip install' not in line


@pytest.mark.parametrize('words', EXTRAS)
def test_one_installation_is_named(ends, words):
  """Before any work, which is hours later where results are written."""
  code, err = ends[words]
  (line,) = err.splitlines()
  assert code == 2
  assert line.endswith(f"pip install 'siamkpn_jax[{EXTRAS[words]}]'")


def test_extras_install_what_they_are_said_to():
  """By setup.cfg, where names of projects differ from those of packages."""
  names = {'ml_collections': 'ml-collections', 'orbax': 'orbax-checkpoint',
           'tensorflow': 'tensorflow-cpu', 'apache_beam': 'apache-beam',
           'tensorflow_datasets': 'tensorflow-datasets', 'trax': 'vot-trax',
           'etils': 'tensorflow-datasets'}  # which needs it
  file = configparser.ConfigParser()
  file.read(ROOT / 'setup.cfg')
  extra = {name: re.sub(r'[><=].*', '', text, flags=re.M).split()
           for name, text in file['options.extras_require'].items()}
  extra['tune'] += extra['eval']
  for name, packages in extras.PACKAGES.items():
    for package in packages:
      assert names.get(package, package) in extra[name]


def test_all_leaves_out_the_heavy_alone():
  """And PyAV, for its license: what the README names for all commands."""
  file = configparser.ConfigParser()
  file.read(ROOT / 'setup.cfg')
  (names,) = re.findall(r'\[(.*)\]', file['options.extras_require']['all'])
  assert (set(extras.PACKAGES) - set(names.split(','))
          == {'tf', 'beam', 'torch', 'vot', 'video'})
