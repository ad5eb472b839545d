"""An annotation that the disk does not give is not left out in silence.

The index would be kept, and the set stay small when the disk is well again.
"""

import errno
import os

import pytest

from siamkpn_jax.core.errors import UnreachableError
from siamkpn_jax.datasets.formats import LAYOUTS
from siamkpn_jax.datasets.tracks import Dropped
from tests.datasets.formats import miniatures
from tests.failing_disk import break_disk


def write_mot(folder):
  miniatures.put_images(folder / 'walk' / 'img1', ['000001.jpg'])
  miniatures.put_text(folder / 'walk' / 'gt' / 'gt.txt',
                      '1,1,2,2,4,3,1,1,1\n')


@pytest.mark.parametrize('name, layout, write', [
    ('list.txt', 'got10k', lambda folder: miniatures.got10k(folder / 'train')),
    ('groundtruth.txt', 'got10k',
     lambda folder: miniatures.got10k(folder / 'train')),
    ('absence.label', 'got10k',
     lambda folder: miniatures.got10k(folder / 'train')),
    ('groundtruth.txt', 'lasot', miniatures.lasot),
    ('out_of_view.txt', 'lasot', miniatures.lasot),
    ('instances_train2017.json', 'coco', miniatures.coco),
    ('000000.xml', 'imagenet_vid', miniatures.imagenet_vid),
    ('gt.txt', 'folder', write_mot)])
def test_it_ends_the_scan(tmp_path, monkeypatch, name, layout, write):
  write(tmp_path)
  scan = lambda: list(LAYOUTS[layout].tracks(tmp_path, Dropped()))
  assert scan() and list(tmp_path.rglob(name))
  break_disk(monkeypatch, name)
  with pytest.raises(UnreachableError, match=f'{name}.*Input/output error'):
    scan()


def test_a_folder_that_cannot_be_listed_ends_it(tmp_path, monkeypatch):
  write_mot(tmp_path)
  listed = os.scandir

  def scandir(folder):
    if str(folder).endswith('img1'):
      raise OSError(errno.EIO, os.strerror(errno.EIO))
    return listed(folder)

  monkeypatch.setattr(os, 'scandir', scandir)
  with pytest.raises(UnreachableError, match='img1: cannot be listed'):
    list(LAYOUTS['folder'].tracks(tmp_path, Dropped()))
