"""A real browser, without a window: the Chromium of this machine."""

import contextlib
import os
import shutil

import pytest

from tests.optional import import_or_skip

_NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
# The sandbox is not there for root; the camera is a drawing of Chromium's.
_FLAGS = ('--no-sandbox', '--disable-dev-shm-usage',
          '--use-fake-device-for-media-stream',
          '--use-fake-ui-for-media-stream')


def chromium():
  """Its path; skips where there is none, as without root it stays so."""
  found = os.environ.get('CHROMIUM') or next(
      filter(None, map(shutil.which, _NAMES)), None)
  if not found:
    pytest.skip('needs Chromium: apt-get install chromium')
  return found


@contextlib.contextmanager
def opened(url, size, *, touch=False, allowed='never'):
  """A page of a size in CSS pixels; its errors are errors of the test.

  But for those that contain `allowed`: the browser itself reports refusals.
  """
  path = chromium()
  playwright = import_or_skip(
      'playwright.sync_api', 'needs playwright: it drives the browser')
  wrong = []
  with playwright.sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path=path, args=list(_FLAGS))
    context = browser.new_context(
        viewport=dict(zip(('width', 'height'), size, strict=True)),
        has_touch=touch, is_mobile=touch, accept_downloads=True)
    page = context.new_page()
    page.on('pageerror', lambda error: wrong.append(str(error)))
    page.on('console', lambda line: wrong.append(line.text)
            if line.type == 'error' and allowed not in line.text else None)
    page.goto(url)
    try:
      yield page
    finally:
      browser.close()
  assert not wrong, wrong


def draw(page, box, size):
  """Drags a box, in pixels of a video of a size, with the mouse."""
  area = page.locator('#view').bounding_box()
  scale = area['width'] / size[0]
  (x, y, w, h) = box
  corners = [(area['x'] + px * scale, area['y'] + py * scale)
             for px, py in ((x, y), (x + w, y + h))]
  page.mouse.move(*corners[0])
  page.mouse.down()
  page.mouse.move(*corners[1], steps=4)
  page.mouse.up()
