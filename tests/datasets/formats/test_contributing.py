"""The example in CONTRIBUTING.md of how to add a data set."""

import types
from pathlib import Path

from siamkpn_jax.datasets import catalog
from siamkpn_jax.datasets.formats import BENCHMARKS, LAYOUTS
from siamkpn_jax.evaluation.formats.sequences import load_benchmark
from tests.datasets.formats import miniatures

PAGE = Path(__file__).parents[3] / 'CONTRIBUTING.md'


def _toy():
  (_, after) = PAGE.read_text(encoding='utf-8').split('## Adding a data set')
  module = types.ModuleType('toy')
  exec(after.split('```python\n')[1].split('```')[0], module.__dict__)
  return module


def test_the_example_is_trained_and_evaluated_on(tmp_path, monkeypatch):
  toy = _toy()
  monkeypatch.setitem(LAYOUTS, 'toy', toy)
  monkeypatch.setitem(BENCHMARKS, 'toy', toy.load)
  home = tmp_path / 'toy'
  miniatures.put_images(home / 'a', ['0001.jpg', '0002.jpg'])
  miniatures.put_text(home / 'a' / 'boxes.txt', '1,2,3,4\n1,2,3,4\n')
  miniatures.put_images(home / 'b', ['0001.jpg'])
  assert catalog.find_kind('toy', home) == 'toy'
  source = catalog.open_images('toy', home)
  assert (source.num_tracks, source.total_frames) == (1, 2)
  (video,) = load_benchmark('toy', home)
  assert video.name == 'a' and len(video) == 2
