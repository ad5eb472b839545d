"""What all tests of tuning share."""

import os

import pytest

from tests.optional import import_or_skip

import_or_skip('optuna', 'siamkpn_jax/tuning needs it')


@pytest.fixture(autouse=True)
def unsynced(monkeypatch):
  """Kills are tested, power cuts are not: a trial log need not reach a disk."""
  monkeypatch.setattr(os, 'fsync', lambda file: None)
