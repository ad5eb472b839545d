"""One shot: the target among other things before a backdrop, over some time."""

import dataclasses
import math

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.datasets.cutouts.actors import (
    Actor,
    Identity,
    other_identity,
    random_actor,
    random_identity,
)
from siamkpn_jax.datasets.cutouts.backdrop import Backdrop, random_backdrop
from siamkpn_jax.datasets.cutouts.library import Library
from siamkpn_jax.datasets.synthetic import effects, signals
from siamkpn_jax.datasets.synthetic.signals import Wave
from siamkpn_jax.datasets.synthetic.sprites import Layer, overlap

MAX_HIDDEN = 0.4  # of the target, by what lies in front of it
_GAP = 3  # pixels between a distractor and the target's center, at least
_NOISE_SEED = 0  # all scenes share a field of noise and move it


@dataclasses.dataclass(frozen=True)
class Shot:
  """Everything in it, drawn; `compose` makes the pictures.

  Attributes:
    backdrop: behind all.
    target: the object to track.
    others: behind the target, farthest first.
    front: what may hide a part of the target, or None.
    shadow: where the target's shadow falls, pixels (x, y), or None.
    edges: distances from the target's center at which the frame ends, left,
      top, right, bottom, pixels.
    camera: light and sensor.
  """

  backdrop: Backdrop
  target: Actor
  others: list[Actor]
  front: Actor | None
  shadow: tuple[int, int] | None
  edges: tuple[float, float, float, float]
  camera: effects.Camera


def random_shot(rng: np.random.Generator, library: Library, number: int,
                identity: Identity) -> Shot:
  """Draws a shot of the object of a number, before a backdrop of the library.

  Raises:
    UserError: a file cannot be read.
  """
  others = [_random_other(rng, library, number, identity)
            for _ in range(signals.pick(rng, (0.2, 0.25, 0.25, 0.2, 0.1)))]
  front = None
  if rng.random() < 0.25:
    front = _random_front(rng, library, number)
  shadow = None
  if rng.random() < 0.3:
    shadow = int(rng.integers(-9, 10)), int(rng.integers(2, 12))
  edges = np.where(rng.random(4) < 0.03, rng.uniform(50, 180, 4), math.inf)
  # Color is lost by config.data.gray_fraction, in both crops of a pair.
  camera = dataclasses.replace(
      effects.random_camera(rng), shade=None, gray=False)
  return Shot(random_backdrop(rng, library), random_actor(rng, identity),
              others, front, shadow, tuple(edges.tolist()), camera)


def _random_other(rng: np.random.Generator, library: Library, number: int,
                  identity: Identity) -> Actor:
  """A twin of the target, or one of its set, mostly one listed near it."""
  kind = signals.pick(rng, (0.3, 0.35, 0.35))
  group = library.group(number)
  if kind == 0:
    other = other_identity(rng, identity)
  else:
    near = number + int(rng.integers(1, 7)) * (1 if rng.random() < 0.5 else -1)
    other = _clutter(rng, library, group, near if kind == 1 else None, number)
  return random_actor(
      rng, other,
      size=signals.random_wave(rng, rng.uniform(-0.6, 0.4), 0.1),
      angle=signals.random_wave(rng, rng.uniform(0, math.tau), 0.5),
      distance=signals.random_wave(rng, 130 * rng.random()**1.5, 25))


def _random_front(rng: np.random.Generator, library: Library,
                  number: int) -> Actor:
  everything = range(library.num_cutouts)
  return random_actor(
      rng, _clutter(rng, library, everything, None, number),
      size=Wave(rng.uniform(-0.4, 0.5)),
      angle=signals.random_wave(rng, rng.uniform(0, math.tau), 1.),
      distance=signals.random_wave(rng, rng.uniform(-10, 10), 25))


def _clutter(rng: np.random.Generator, library: Library, group: range,
             wanted: int | None, unwanted: int) -> Identity:
  """Another object of a group, if there is one."""
  number = group[int(rng.integers(len(group)))] if wanted is None else (
      group[(wanted - group.start) % len(group)])
  is_it = lambda n: library.objects[n] == library.objects[unwanted]
  if is_it(number):
    number = group[(number + 1 - group.start) % len(group)]
  found = random_identity(rng, library.frames(number))
  return other_identity(rng, found) if is_it(number) else found


def compose(shot: Shot, t: int, length: int,
            patch: int) -> tuple[np.ndarray, np.ndarray]:
  """The surroundings of the target at time `t`; see `Source.read`.

  In `length` positions objects run through their frames once. The size of the
  target is that of its whole box, around where its alpha crosses a half.
  """
  frame = shot.backdrop.render(t, patch)
  placed = place_all(shot, t, length)
  half = patch // 2
  layers = list(placed.others)
  if shot.shadow is not None:
    layers.append(_shadow(placed.target, shot.shadow))
  layers.append(placed.target)
  if placed.front is not None:
    layers.append(placed.front)
  for layer in layers:
    _moved(layer, half, half).over(frame)
  frame = _shoot(shot, frame, t)
  return frame, placed.target.box[2:].astype(np.float32)


@dataclasses.dataclass(frozen=True)
class PlacedActors:
  """The objects of a shot in their places at some time."""

  target: Layer
  others: list[Layer]
  front: Layer | None


def place_all(shot: Shot, t: int, length: int) -> PlacedActors:
  """Where everything is; arguments as of `compose`."""
  target = shot.target.paint(t, length)
  others = [_aside(other, other.paint(t, length), t)
            for other in shot.others]
  front = None
  if shot.front is not None:
    front = _before(shot.front, shot.front.paint(t, length), target, t)
  return PlacedActors(target, others, front)


def _moved(layer: Layer, x: int, y: int) -> Layer:
  """Shifted by whole pixels."""
  return dataclasses.replace(layer, x=layer.x + x, y=layer.y + y,
                             box=layer.box + np.array([x, y, 0, 0]))


def _aside(actor: Actor, layer: Layer, t: int) -> Layer:
  """Where a distractor lies: never over the target's center."""
  cos, sin = math.cos(actor.angle(t)), math.sin(actor.angle(t))
  distance = _clear(layer, cos, sin) + max(0., actor.distance(t))
  return _moved(layer, round(distance * cos), round(distance * sin))


def _before(actor: Actor, layer: Layer, target: Layer,
            t: int) -> Layer | None:
  """Where an occluder lies: as far out as it must; None: nowhere."""
  cos, sin = math.cos(actor.angle(t)), math.sin(actor.angle(t))
  distance = max(0., 0.8 * _clear(layer, cos, sin) + actor.distance(t))
  for step in range(12):
    out = distance + 6 * step
    moved = _moved(layer, round(out * cos), round(out * sin))
    if hidden_share(moved, target) <= MAX_HIDDEN:
      return moved
  return None


def _clear(layer: Layer, cos: float, sin: float) -> float:
  """The distance in a direction at which the center is no longer covered."""
  height, width = layer.alpha.shape
  x = max(-layer.x, layer.x + width - 1) + 1 + _GAP
  y = max(-layer.y, layer.y + height - 1) + 1 + _GAP
  return min(x / max(abs(cos), 1e-6), y / max(abs(sin), 1e-6))


def hidden_share(layer: Layer, target: Layer) -> float:
  """Share of the target's alpha, 0..1, that a layer in front of it hides."""
  there, here = overlap((layer.x, layer.y), layer.alpha.shape,
                        (target.x, target.y), target.alpha.shape)
  hidden = cv2.multiply(layer.alpha[there], target.alpha[here], scale=1 / 255)
  if hidden is None:  # OpenCV's word for an empty array
    return 0.
  return float(hidden.sum()) / float(target.alpha.sum())


def _shadow(layer: Layer, shift: tuple[int, int]) -> Layer:
  """A soft dark copy of a layer, moved by some pixels."""
  margin = 9
  alpha = cv2.convertScaleAbs(
      cv2.blur(np.pad(layer.alpha, margin), (9, 9)), alpha=0.4)
  return Layer(layer.x - margin + shift[0], layer.y - margin + shift[1],
               np.zeros((*alpha.shape, 3), np.uint8), alpha, layer.box)


def _shoot(shot: Shot, frame: np.ndarray, t: int) -> np.ndarray:
  """What the camera makes of the middle of a scene [p, p, 3] uint8."""
  camera, half = dataclasses.replace(shot.camera, noise=0.), len(frame) // 2
  mean = np.array([[shot.backdrop.mean]]).astype(np.uint8)
  frame = camera.expose(frame, t, _NOISE_SEED)
  if shot.camera.noise:
    # The same grain whatever the patch: the middle of the largest one's.
    field = effects.noise_field(_NOISE_SEED, *[geometry.CONTEXT_SIZE] * 2)
    margin = geometry.CONTEXT_SIZE // 2 - half
    frame = effects.grain(frame, shot.camera.noise, t, field[margin:, margin:])
  left, top, right, bottom = (round(min(edge, half)) for edge in shot.edges)
  outside = camera.expose(mean, t, _NOISE_SEED)[0, 0]
  frame[:, :half - left] = frame[:half - top] = outside
  frame[:, half + right + 1:] = frame[half + bottom + 1:] = outside
  return frame
