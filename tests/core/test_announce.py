"""What may take long is named."""

import re
import time

import pytest

from siamkpn_jax.core.announce import announced


def test_at_once(capfd):
  with announced('waiting', after=0):
    assert capfd.readouterr().err == 'waiting ... '
  assert re.fullmatch(r'\d+\.\d s\n', capfd.readouterr().err)


def test_only_what_takes_long(capfd):
  with announced('short', after=30):
    pass
  assert capfd.readouterr().err == ''
  with announced('long', after=0.05):
    until = time.monotonic() + 30
    said = ''
    while not said and time.monotonic() < until:
      time.sleep(0.01)
      said = capfd.readouterr().err
    assert said == 'long ... '
  assert re.fullmatch(r'\d+\.\d s\n', capfd.readouterr().err)


def test_errors_begin_a_line(capfd):
  with pytest.raises(ValueError), announced('failing', after=0):
    raise ValueError
  assert capfd.readouterr().err.endswith(' s\n')
