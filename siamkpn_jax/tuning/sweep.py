"""Many settings of the tracker on one sequence, as one batch.

The settings do not enter the network: they decide which of its answers is
taken, and so where the next crop lies. Settings whose crops are the same pixels
share one pass through the network, and only the choice of the box is made for
each. In the first frames that is nearly all of them.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from siamkpn_jax.checkpoints.weights import load_model
from siamkpn_jax.core import geometry
from siamkpn_jax.core.boxes import cxcywh_to_xywh
from siamkpn_jax.evaluation.formats.sequences import Sequence as Video
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence
from siamkpn_jax.evaluation.metrics import vot
from siamkpn_jax.evaluation.run.batch_runner import read_frames
from siamkpn_jax.evaluation.run.experiments import Ask, Course, Start
from siamkpn_jax.models.head import Maps
from siamkpn_jax.models.siamkpn import SiamKPN, build_model
from siamkpn_jax.tracking.crop import window
from siamkpn_jax.tracking.decode import DecodeConfig
from siamkpn_jax.tracking.lockstep import crops_each, make_template, shardings
from siamkpn_jax.tracking.tracker import (
  FirstSight,
  decode_config,
  first_sight,
  move,
  search_crop,
  search_scale,
)
from siamkpn_jax.tuning.engine import SequenceResult, Setting, task


class Sweep:
  """An `Engine`.

  Attributes:
    asked: boxes that settings were asked for so far.
    crops: crops that the network saw for them.
  """

  def __init__(self, checkpoint: Path,
               videos: Sequence[Video] | Sequence[VotSequence],
               protocol: vot.Protocol | None = None):
    """Loads a checkpoint; args and errors are those of `OneAtATime`."""
    config, variables = load_model(checkpoint)
    self._network = _Network(build_model(config.model), variables)
    self._decoding = decode_config(config)
    self._videos = videos
    self._protocol = protocol
    self.asked, self.crops = 0, 0

  def __call__(self, settings: Sequence[Setting],
               sequence_index: int) -> list[SequenceResult]:
    """See `Engine`.

    Raises:
      UserError: an image that cannot be read, or a box that cannot be started
        from.
    """
    video = self._videos[sequence_index]
    todo = task(video, self._protocol)
    runs = [_Run(setting, todo.course()) for setting in settings]
    views: dict[int, _View] = {}  # by the frame of the start
    with contextlib.closing(read_frames(todo.frames)) as frames:
      for number, frame in enumerate(frames):
        asked = []
        for run in runs:
          if isinstance(run.ask, Start):
            if number not in views:
              views[number] = self._look(frame, run.ask.box_xywh)
            run.begin(number, views[number].first)
          elif run.ask is Ask.WAIT:
            run.tell(None)
          else:
            asked.append(run)
        if asked:
          self._update(asked, views, frame)
        used = {run.started for run in runs}
        views = {k: view for k, view in views.items() if k in used}
    return [run.result for run in runs]

  def _look(self, frame: np.ndarray, box_xywh: np.ndarray) -> '_View':
    first = first_sight(frame, box_xywh)
    return _View(first, self._network.template(first.crop))

  def _update(self, runs: Sequence['_Run'], views: dict[int, '_View'],
              frame: np.ndarray) -> None:
    """Asks the network about the crops of all runs, each once."""
    scales = [search_scale(run.size) for run in runs]
    keys = [(run.started, *window(run.center, geometry.SEARCH_SIZE / scale))
            for run, scale in zip(runs, scales, strict=True)]
    firsts = {key: i for i, key in reversed(list(enumerate(keys)))}
    crops = np.stack([
        search_crop(frame, runs[i].center, scales[i],
                    views[runs[i].started].first.fill)
        for i in firsts.values()])
    maps = self._network.search(
        [views[started].template for started, *_ in firsts], crops)
    self.asked += len(runs)
    self.crops += len(firsts)
    rows = {key: row for row, key in enumerate(firsts)}
    self._choose(runs, [rows[key] for key in keys], scales, maps, frame)

  def _choose(self, runs: Sequence['_Run'], rows: Sequence[int],
              scales: Sequence[float], maps: Maps, frame: np.ndarray) -> None:
    """Each run's next place, by its own setting."""
    room = 1 << (len(runs) - 1).bit_length()  # few programs to compile
    pad = lambda values: np.resize(np.asarray(values, np.float32), (
        room, *np.shape(values)[1:]))
    chosen = np.resize(rows, room)
    center, size = jax.device_get(_move_all(
        jax.tree.map(lambda m: m[chosen], maps),
        pad([run.center for run in runs]), pad([run.size for run in runs]),
        pad(scales), np.array(frame.shape[1::-1], np.float32),
        pad([dataclasses.astuple(run.setting) for run in runs]),
        config=self._decoding))
    for k, run in enumerate(runs):
      run.move(center[k], size[k])


@dataclasses.dataclass(frozen=True, eq=False)
class _View:
  """The target as it was at a start."""
  first: FirstSight
  template: Any  # of a batch of 1


class _Run:
  """One setting on the sequence.

  Attributes:
    setting: of the tracker.
    ask: what the course wants in the next frame.
    started: the frame of the newest start.
    center: [2] of the target, frame pixels.
    size: [2] width and height, frame pixels.
    result: what the course returned.
  """

  def __init__(self, setting: Setting, course: Course):
    self.setting = setting
    self.ask: Start | Ask = next(course)
    self.started = -1
    self.center = self.size = np.zeros(2, np.float32)
    self.result: Any = None
    self._course = course

  def begin(self, number: int, first: FirstSight) -> None:
    """The tracker is started in a frame."""
    self.started, self.center, self.size = number, first.center, first.size
    self.tell(None)

  def move(self, center: np.ndarray, size: np.ndarray) -> None:
    """The target was found."""
    self.center, self.size = center, size
    self.tell(cxcywh_to_xywh(
        np.concatenate([center, size]).astype(np.float64)))

  def tell(self, box_xywh: np.ndarray | None) -> None:
    """Goes on to the next frame."""
    try:
      self.ask = self._course.send(box_xywh)
    except StopIteration as end:
      self.result = end.value


class _Network:
  """The network on all devices, in batches of one size."""

  def __init__(self, model: SiamKPN, variables: Any):
    everywhere, self._divided = shardings(jax.local_devices())
    self._batch = crops_each() * jax.local_device_count()
    self._model = model
    self._variables = jax.device_put(variables, everywhere)
    self._stacked: tuple[list[Any], Any] = ([], None)  # the newest, as one
    self._stack = jax.jit(
        lambda templates: jax.tree.map(
            lambda *leaves: jnp.concatenate(leaves), *templates),
        out_shardings=self._divided)

  def template(self, crop: np.ndarray) -> Any:
    """[127, 127, 3] uint8 -> `Template` of a batch of 1."""
    return make_template(self._variables, crop, model=self._model)

  def search(self, templates: Sequence[Any], crops: np.ndarray) -> Maps:
    """The last stage's maps of n crops, on the host.

    Args:
      templates: n, each of a batch of 1.
      crops: [n, 255, 255, 3] uint8.
    """
    found = []
    for start in range(0, len(crops), self._batch):
      count = min(self._batch, len(crops) - start)
      # The last batch is filled up with its first crop.
      part = [start + (i if i < count else 0) for i in range(self._batch)]
      maps = jax.device_get(_search(
          self._variables, self._as_one([templates[i] for i in part]),
          jax.device_put(crops[part], self._divided), model=self._model))
      found.append(jax.tree.map(lambda m, count=count: m[:count], maps))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *found)

  def _as_one(self, templates: list[Any]) -> Any:
    """The templates as one batch; mostly they are those of the last call."""
    before = self._stacked[0]
    if len(before) != len(templates) or any(
        a is not b for a, b in zip(before, templates, strict=True)):
      self._stacked = templates, self._stack(templates)
    return self._stacked[1]


@functools.partial(jax.jit, static_argnames='model')
def _search(variables: Any, templates: Any, crops: jax.Array, *,
            model: SiamKPN) -> Maps:
  maps: Any = model.apply(variables, templates, crops.astype(jnp.float32),
                          train=False, method=SiamKPN.search)
  return maps[-1]


@functools.partial(jax.jit, static_argnames='config')
def _move_all(maps: Maps, center: jax.Array, size: jax.Array, scale: jax.Array,
              frame_size: jax.Array, settings: jax.Array, *,
              config: DecodeConfig) -> tuple[jax.Array, jax.Array]:
  """[n, ...] of all but the frame's size -> centers [n, 2], sizes [n, 2].

  A setting is a row of `settings`, [n, 3], in the order of `Setting`.
  """
  names = [field.name for field in dataclasses.fields(Setting)]

  def one(maps: Maps, center: jax.Array, size: jax.Array, scale: jax.Array,
          setting: jax.Array) -> tuple[jax.Array, jax.Array]:
    own = dataclasses.replace(config, **dict(zip(names, setting, strict=True)))
    return move(maps, center, size, scale, frame_size, own)[:2]

  return jax.vmap(one)(maps, center, size, scale, settings)
