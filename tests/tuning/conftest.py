"""Races that end with their test."""

import pytest

from tests.tuning import fakes


@pytest.fixture
def setup():
  """Makes races as `fakes.setup`; their journals are closed in the end."""
  made = []

  def make(folder, **options):
    made.append(fakes.setup(folder, **options))
    return made[-1]

  yield make
  for each in made:
    each.close()
