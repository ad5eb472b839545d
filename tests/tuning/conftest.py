"""What all tests of tuning share."""

import os

import pytest

pytest.importorskip('optuna')


@pytest.fixture(autouse=True)
def unsynced(monkeypatch):
  """Kills are tested, power cuts are not: a trial log need not reach a disk."""
  monkeypatch.setattr(os, 'fsync', lambda file: None)
