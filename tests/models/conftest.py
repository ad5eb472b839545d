"""What several tests of this folder read."""

import pytest

from siamkpn_jax.checkpoints.weights_file import save_weights_file
from tests.models.small_file import CONFIG, INFO
from tests.tracking.small import small_network


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """A file of the small network, and the summary."""
  path = tmp_path_factory.mktemp('file') / 'new' / 'model.safetensors'
  summary = save_weights_file(path, CONFIG, small_network()[1], INFO)
  return path, summary
