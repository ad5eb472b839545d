"""OpenCV is silent while anything wants it to be, and no longer."""

import contextlib

import cv2
import pytest

from siamkpn_jax.tracking.quiet import quiet


@pytest.fixture
def level():
  """OpenCV's level of logging; put back at the end."""
  logging = cv2.utils.logging
  before = logging.setLogLevel(logging.LOG_LEVEL_WARNING)
  yield logging.getLogLevel
  logging.setLogLevel(before)


@pytest.mark.parametrize('order', ['aAbB', 'abBA', 'abAB', 'abAcBC'])
def test_blocks_may_overlap(level, order):
  """Small letters begin a block, capitals end it."""
  logging, open_blocks = cv2.utils.logging, {}
  for letter in order:
    if letter.islower():
      open_blocks[letter] = contextlib.ExitStack()
      open_blocks[letter].enter_context(quiet())
    else:
      open_blocks.pop(letter.lower()).close()
    assert level() == (logging.LOG_LEVEL_SILENT if open_blocks else
                       logging.LOG_LEVEL_WARNING)
