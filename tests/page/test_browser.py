"""The page in a real Chromium, as a visitor uses it."""

import csv
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from siamkpn_jax.core.boxes import iou_xywh
from siamkpn_jax.page import sample
from tests.optional import import_or_skip
from tests.page import browser

import_or_skip('uvicorn', 'needs uvicorn, of the extra demo')
pytestmark = pytest.mark.slow
# A job in the background, as a test run may be, starts deaf to Ctrl-C.
CODE = '''
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from siamkpn_jax import demo
demo.leave(demo.main())
'''
LONG = 240_000  # ms; the first tracker is compiled meanwhile


@pytest.fixture(scope='module')
def scene():
  return sample.scene()


@pytest.fixture(scope='module')
def url(tmp_path_factory, compilation_cache):
  """Of `siamkpn demo`, which Ctrl-C ends at last; it leaves no file."""
  browser.chromium()  # or skips, before it is started
  folder = tmp_path_factory.mktemp('temporary')
  with subprocess.Popen(
      [sys.executable, '-c', CODE, '--port=0'],
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
      env=os.environ | {'TMPDIR': str(folder),
                        'JAX_COMPILATION_CACHE_DIR': str(compilation_cache)}
  ) as process:
    try:
      yield process.stdout.readline().split()[0]
      process.send_signal(signal.SIGINT)
      _, err = process.communicate(timeout=60)
      assert process.returncode == 130 and 'Traceback' not in err
      assert err.splitlines()[-1] == 'interrupted'
      # ONNX Runtime leaves a number of its own there when it is imported.
      assert {path.name for path in folder.iterdir()} <= {'.ses'}
    finally:
      process.kill()


def downloaded(page, selector):
  with page.expect_download(timeout=LONG) as found:
    page.click(selector)
  return found.value.path().read_bytes()


def overlaps(text, scene):
  """{target: [IoU in each frame after the first]} of a CSV file."""
  found = {}
  for row in csv.DictReader(text.decode().splitlines()):
    t, number = int(row['frame']) - 1, int(row['id'])
    box = np.array([float(row[key]) for key in 'xywh'])
    true = sample.boxes(scene, t)[number - 1]
    if t:
      found.setdefault(number, []).append(float(iou_xywh(box, true)))
  return found


@pytest.mark.parametrize('size, count', [((1280, 800), 1), ((390, 844), 3)])
def test_boxes_that_are_drawn_are_tracked(url, scene, size, count):
  """One target at a desk, three as a batch on a phone: the right tracks."""
  phone = size[0] < 800
  with browser.opened(url, size, touch=phone) as page:
    page.click('#sample')
    page.wait_for_selector(f'#slider[max="{sample.LENGTH}"]', timeout=LONG)
    for box in sample.boxes(scene, 0)[:count]:
      browser.draw(page, box, scene.size)
    page.click('#track')
    page.wait_for_selector('#targets li[data-state=ended]', timeout=LONG)
    page.wait_for_selector('#progress', state='hidden')
    page.wait_for_selector('#heatmaps canvas', timeout=LONG)
    found = overlaps(downloaded(page, '#csv'), scene)
    assert [len(found[n + 1]) for n in range(count)] == (
        [sample.LENGTH - 1] * count)
    assert min(np.mean(ious) for ious in found.values()) > 0.5
    assert downloaded(page, '#film')[4:8] == b'ftyp'
    wide = page.evaluate('document.documentElement.scrollWidth')
    assert wide <= size[0]  # nothing sticks out


def test_a_text_file_is_refused_in_the_page(url, tmp_path):
  path = tmp_path / 'diary.mp4'
  path.write_text('Dear diary')
  with browser.opened(url, (1280, 800), allowed='415') as page:
    page.click('#sample')
    page.wait_for_selector('#work:not([hidden])', timeout=LONG)
    page.set_input_files('#file', path)
    page.wait_for_selector('#message.error')
    assert 'no video' in page.inner_text('#message')
    assert not page.is_visible('#work')  # the sample's is closed


def test_a_slow_press_and_a_lost_answer_while_it_tracks(url, scene):
  """A poll neither takes the button away, nor is the last when it fails."""
  with browser.opened(url, (1280, 800), allowed='ERR_FAILED') as page:
    asked = []

    def sometimes(route):
      asked.append(1)
      if len(asked) == 3:
        route.abort()
      else:
        route.continue_()

    page.click('#sample')
    page.wait_for_selector(f'#slider[max="{sample.LENGTH}"]', timeout=LONG)
    for box in sample.boxes(scene, 0)[:2]:
      browser.draw(page, box, scene.size)
    page.route('**/api/videos/*?since=*', sometimes)
    page.click('#track')
    page.wait_for_selector('#targets li[data-id="1"]', timeout=LONG)
    page.click('#targets li[data-id="1"] .remove', delay=700)
    page.wait_for_selector('#targets li[data-id="1"]', state='detached')
    page.wait_for_selector('#targets li[data-id="2"][data-state=ended]',
                           timeout=LONG)
    assert len(asked) > 3 and not page.inner_text('#message')


def test_the_newest_of_two_clicks_counts(url):
  """The camera that was asked for first is closed."""
  with browser.opened(url, (1280, 800)) as page:
    sockets = []

    def keep(socket):
      sockets.append(socket)

    page.on('websocket', keep)
    page.evaluate("document.getElementById('webcam').click();"
                  "document.getElementById('webcam').click();"
                  "document.getElementById('sample').click()")
    page.wait_for_selector(f'#slider[max="{sample.LENGTH}"]', timeout=LONG)
    page.wait_for_timeout(1000)
    assert page.get_attribute('#sample', 'aria-pressed') == 'true'
    assert page.is_visible('#playback')
    assert all(socket.is_closed() for socket in sockets)


def test_the_webcam_is_tracked(url):
  """Chromium's own pretended camera; a box in its middle."""
  with browser.opened(url, (1280, 800)) as page:
    page.click('#webcam')
    page.wait_for_selector('#work:not([hidden])', timeout=LONG)
    page.wait_for_selector('#message:empty', state='attached', timeout=LONG)
    browser.draw(page, (200, 120, 160, 160), (640, 480))
    page.wait_for_selector('#targets li[data-state=tracking]', timeout=LONG)
    page.wait_for_selector('#heatmaps canvas', timeout=LONG)
    page.click('#targets .remove')
    page.wait_for_selector('#targets li', state='detached', timeout=LONG)
