"""A package that is missing skips tests, or fails where all must be there."""

import json
import re
from pathlib import Path

import pytest

from tests.optional import import_or_skip


def test_what_is_there_is_imported(monkeypatch):
  for value in ('', '1'):
    monkeypatch.setenv('SIAMKPN_TEST_ALL', value)
    assert import_or_skip('json', 'never') is json


def test_what_is_missing_skips_or_fails(monkeypatch):
  monkeypatch.delenv('SIAMKPN_TEST_ALL', raising=False)
  with pytest.raises(pytest.skip.Exception, match='needs it'):
    import_or_skip('no_such_module', 'needs it')
  monkeypatch.setenv('SIAMKPN_TEST_ALL', '1')
  with pytest.raises(ModuleNotFoundError, match='no_such_module'):
    import_or_skip('no_such_module', 'needs it')


def test_continuous_integration_skips_no_comparison():
  script = Path(__file__).parents[1] / '.ci' / 'run'
  if not script.is_file():
    pytest.skip('a copy without .ci/run')
  lines = script.read_text().splitlines()
  assert lines.index('export SIAMKPN_TEST_ALL=1') < next(
      i for i, line in enumerate(lines) if line.startswith('make test'))


def test_nothing_that_is_installed_there_is_skipped():
  """`pytest.importorskip` is left for what is not."""
  left_out = 'trax', 'supervision'
  folder = Path(__file__).parent
  for path in folder.rglob('*.py'):
    if path not in (folder / 'optional.py', Path(__file__)):
      found = re.findall(r"importorskip\(\s*'(\w+)'", path.read_text())
      assert {*found} <= {*left_out}, path
