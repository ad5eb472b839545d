"""The cut-outs of a scene: how they look, turn and move."""

import dataclasses
import functools
import math

import cv2
import numpy as np

from siamkpn_jax.core import geometry
from siamkpn_jax.datasets.cutouts import poses
from siamkpn_jax.datasets.synthetic import signals
from siamkpn_jax.datasets.synthetic.signals import Wave
from siamkpn_jax.datasets.synthetic.sprites import Layer

_PERIODS = 24., 96.  # positions, of an object's turning and moving


@dataclasses.dataclass(frozen=True)
class Identity:
  """What stays the same wherever an object is seen.

  Attributes:
    frames: its sprites in their order in time.
    tint: [4, 4] from `poses.tint_matrix`.
    turn: radians.
    mirrored: left and right change places.
  """

  frames: tuple[np.ndarray, ...]
  tint: np.ndarray
  turn: float = 0.
  mirrored: bool = False


def random_identity(rng: np.random.Generator,
                    frames: tuple[np.ndarray, ...]) -> Identity:
  """The object in its own colors or somewhat other ones, mostly upright."""
  hue = rng.uniform(-0.5, 0.5) if rng.random() < 0.3 else 0.
  turn = rng.uniform(-math.pi, math.pi) if rng.random() < 0.15 else (
      0.12 * rng.normal())
  return Identity(frames, poses.tint_matrix(hue=hue), turn,
                  bool(rng.random() < 0.5))


def other_identity(rng: np.random.Generator, one: Identity) -> Identity:
  """A twin of an object that can be told from it by color and direction."""
  gain = math.exp(rng.uniform(0.25, 0.6) * (1 if rng.random() < 0.4 else -1))
  tint = poses.tint_matrix(hue=rng.uniform(1, math.tau - 1), gain=(gain,) * 3)
  return Identity(one.frames, tint @ one.tint,
                  one.turn + rng.uniform(-0.9, 0.9), not one.mirrored)


@dataclasses.dataclass(frozen=True)
class Actor:
  """An object in one scene; all waves are over time in positions.

  Attributes:
    identity: which object.
    turn, stretch, shear, tilt_x, tilt_y: waves of `poses.pose_matrix`.
    light: wave of the log of its brightness.
    warmth: log of red against blue.
    contrast: of its colors about their middle; 1 leaves them.
    shade: light falls off by this much across it, 0..1.
    shade_angle: where the light comes from, radians from above to the left.
    size: wave of the log of its context square's side in templates.
    angle: wave of its direction from the target, radians.
    distance: wave of how far it is beyond where it would be in the way,
      pixels.
  """

  identity: Identity
  turn: Wave
  stretch: Wave
  shear: Wave
  tilt_x: Wave
  tilt_y: Wave
  light: Wave
  warmth: float
  contrast: float
  shade: float
  shade_angle: float
  size: Wave = dataclasses.field(default_factory=Wave)
  angle: Wave = dataclasses.field(default_factory=Wave)
  distance: Wave = dataclasses.field(default_factory=Wave)

  def paint(self, t: int, length: int) -> Layer:
    """The object at time `t` of `length`, in the middle of the scene."""
    identity = self.identity
    sprite = identity.frames[t * len(identity.frames) // length]
    gain = np.exp(self.light(t) + np.array([-1, 0, 1]) * self.warmth)
    light = poses.tint_matrix(
        gain=tuple((self.contrast * gain).tolist()),
        lift=0.45 * (1 - self.contrast))
    pose = poses.pose_matrix(
        turn=identity.turn + self.turn(t), stretch=self.stretch(t),
        shear=self.shear(t), tilt=(self.tilt_x(t), self.tilt_y(t)),
        mirrored=identity.mirrored)
    layer = poses.place(poses.tinted(sprite, light @ identity.tint), pose,
                        geometry.TEMPLATE_SIZE * math.exp(self.size(t)))
    return self._shaded(layer) if self.shade else layer

  def _shaded(self, layer: Layer) -> Layer:
    """Darker on the side away from the light."""
    h, w = layer.alpha.shape
    across = math.cos(self.shade_angle), math.sin(self.shade_angle)
    near = np.array([[sum(across), across[0] - across[1]],
                     [across[1] - across[0], -sum(across)]])
    gain = 255 * (1 - self.shade * (0.5 - 0.35 * near))
    ramp = cv2.resize(np.clip(gain, 0, 255).astype(np.uint8), (w, h),
                      interpolation=cv2.INTER_LINEAR)
    color = cv2.multiply(layer.color, cv2.merge([ramp] * 3), scale=1 / 255)
    return dataclasses.replace(layer, color=color)


def random_actor(rng: np.random.Generator, identity: Identity,
                 **place: Wave) -> Actor:
  """An object in some pose and light; `place`: its size, angle, distance."""
  wave = functools.partial(signals.random_wave, periods=_PERIODS)
  tilt = lambda: wave(rng, rng.uniform(-0.15, 0.15), 0.15 * rng.random())
  return Actor(
      identity,
      turn=wave(rng, 0.2 * rng.normal(), 0.6 * rng.random()**1.5),
      stretch=wave(rng, 0.08 * rng.normal(), 0.15 * rng.random()),
      shear=wave(rng, 0.1 * rng.normal(), 0.1 * rng.random()),
      tilt_x=tilt(), tilt_y=tilt(),
      light=wave(rng, 0.13 * rng.normal(), 0.2 * rng.random()),
      warmth=0.05 * rng.normal(), contrast=rng.uniform(0.6, 1),
      shade=rng.uniform(0.1, 0.7) if rng.random() < 0.5 else 0.,
      shade_angle=rng.uniform(0, math.tau), **place)
