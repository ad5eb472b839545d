"""What the file of the small network holds; conftest.py writes it."""

from siamkpn_jax.config.settings import Config
from tests.tracking.small import SMALL

CONFIG = Config().updated(model=SMALL, tracking={'window_influence': 0.2})
INFO = {'step': '7', 'git_revision': 'abc', 'command': 'make demo'}
KERNEL = 'params/backbone/conv1/conv/kernel'
