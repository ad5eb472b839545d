"""One synthetic video: any frame of it, with the box of its target."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from siamkpn_jax.datasets.synthetic import backdrop, effects, signals
from siamkpn_jax.datasets.synthetic.actors import Actors
from siamkpn_jax.datasets.synthetic.sprites import Layer, overlap

_MIN_VISIBLE = 0.6  # of the target; what would hide more passes behind it


@dataclasses.dataclass(frozen=True)
class Stack:
  """The things of one frame, farthest first.

  Attributes:
    behind: the target.
    target: the thing to track.
    front: what may hide some of it.
    visible: share of the target, 0..1, that `front` leaves.
  """
  behind: list[Layer]
  target: Layer
  front: list[Layer]
  visible: float


class Scene:
  """One video, a pure function of (seed, index).

  Frames are independent of each other and of the order they are asked for.

  Attributes:
    length: number of frames.
    size: (width, height) of a frame, pixels.
    target: the thing to track.
    camera: light and sensor.
  """

  def __init__(self, seed: int, index: int, *,
               size: tuple[int, int] = (320, 240), length: int = 60,
               distractors: int | None = None):
    """Draws everything that the video consists of.

    Args:
      seed: of the split; also names the bank of textures.
      index: number of the video.
      size: (width, height) of a frame, pixels.
      length: number of frames; longer videos go on, they are not slower.
      distractors: how many things look like the target; None: random, 0..4.
    """
    self.size, self.length = (size[0], size[1]), length
    self._seed = seed
    rng = signals.stream(signals.SCENE, seed, index)
    self.camera = effects.random_camera(rng)
    self._backdrop = backdrop.Backdrop(rng, seed, self.size)
    actors = Actors(rng, seed, self.size)
    self.target = actors.target(self._backdrop.mean)
    if distractors is None:
      distractors = signals.pick(rng, (0.42, 0.3, 0.16, 0.08, 0.04))
    self._distractors = [
        actors.distractor(self.target) for _ in range(distractors)]
    clutter = [actors.clutter()
               for _ in range(signals.pick(rng, (0.5, 0.3, 0.15, 0.05)))]
    # (sprite, whether it passes in front of the target), far ones first
    self._others = [(sprite, rng.random() < 0.25)
                    for sprite in clutter + self._distractors]
    for draw in (actors.occluder, actors.post):
      if rng.random() < 0.2:
        self._others.append((draw(self.target), True))

  def render(self, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Frame `t`.

    Returns:
      The frame [h, w, 3] uint8 BGR and the box of the target, xywh [4]
      float64: tight around its whole mask (alpha > 0.5), also where the mask
      is hidden or outside the frame.
    """
    stack = self.stack(t)
    layers = (*stack.behind, stack.target, *stack.front)
    return self.shoot(t, layers), stack.target.box

  def box(self, t: int) -> np.ndarray:
    """The box of `render`, xywh [4] float64, without making the frame."""
    return self.target.box(t)

  def distractor_boxes(self, t: int) -> np.ndarray:
    """Boxes of the distractors, xywh [n, 4] float64, like the target's."""
    return np.array([s.box(t) for s in self._distractors]).reshape(-1, 4)

  def stack(self, t: int) -> Stack:
    """Paints all things and decides what lies in front of the target."""
    shutter = self.camera.shutter
    target = self.target.paint(t, shutter=shutter)
    assert target is not None  # it is not clipped
    behind, front = [], []
    seen, whole = target.alpha.astype(np.float32), int(target.alpha.sum())
    for sprite, passes_before in self._others:
      layer = sprite.paint(t, clip=self.size, shutter=shutter)
      if layer is None:
        continue
      if not passes_before:
        behind.append(layer)
        continue
      left = hidden_by(layer, target, seen)
      if left.sum() < _MIN_VISIBLE * whole:
        behind.append(layer)
      else:
        seen = left
        front.append(layer)
    return Stack(behind, target, front, float(seen.sum()) / whole)

  def shoot(self, t: int, layers: Iterable[Layer]) -> np.ndarray:
    """Frame `t` with these things in it, [h, w, 3] uint8."""
    frame = self._backdrop.render(t, self.camera.shutter)
    for layer in layers:
      layer.over(frame)
    return self.camera.expose(frame, t, self._seed)


def hidden_by(layer: Layer, target: Layer, seen: np.ndarray) -> np.ndarray:
  """What a layer leaves of the visible part [h, w] of the target."""
  there, here = overlap((layer.x, layer.y), layer.alpha.shape,
                        (target.x, target.y), seen.shape)
  left = seen.copy()
  left[here] *= 1 - layer.alpha[there] / np.float32(255)
  return left
