"""Scripts of perf/ start; perf/short.py gives them flags that they have."""

import importlib
import runpy
import sys
from pathlib import Path

import pytest

from perf import short
from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.parser import Parser

SCRIPTS = sorted(
    path.stem for path in Path(short.__file__).parent.glob('*.py')
    if 'execute(' in path.read_text())


@pytest.mark.filterwarnings('ignore:.*found in sys.modules:RuntimeWarning')
@pytest.mark.parametrize('name', SCRIPTS)
def test_help(name, monkeypatch, capsys):
  monkeypatch.setattr(sys, 'argv', [name, '--help'])
  with pytest.raises(SystemExit) as ended:
    runpy.run_module(f'perf.{name}', run_name='__main__', alter_sys=True)
  assert ended.value.code == 0
  assert f'usage: python -m perf.{name}' in capsys.readouterr().out
  assert callable(importlib.import_module(f'perf.{name}').run)


@pytest.mark.parametrize('line', short.RUNS, ids=' '.join)
def test_flags(line):
  name, *arguments = line
  parser = Parser('x', '')
  importlib.import_module(f'perf.{name}').add_arguments(parser)
  left, _ = config_flags.take_overrides(arguments)
  parser.parse_args(left)


def test_what_lacks_data_is_left_out(tmp_path, monkeypatch, capfd):
  monkeypatch.setattr(short, 'RUNS', (
      ('good', '{folder}/x'), ('bad',), ('absent', '{data}', '{models}')))
  started = []

  def popen(command, **options):
    started.append(command[2:])
    code = f'import sys; print("said"); sys.exit({"bad" in command[2]})'
    return original([sys.executable, '-c', code], **options)

  original = short.subprocess.Popen
  monkeypatch.setattr(short.subprocess, 'Popen', popen)
  args = type('Args', (), {'output': str(tmp_path), 'data': '', 'models': ''})
  assert short.run(args) == 1
  assert started == [['perf.good', f'{tmp_path}/x'], ['perf.bad']]
  out = capfd.readouterr().out
  assert 'absent: left out, needs --data and --models' in out
  assert 'failed (1)' in out and (
      tmp_path / '1_good.txt').read_text() == 'said\n'
