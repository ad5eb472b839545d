"""A bank of procedural textures: noise, stripes, cells, bricks, marks, ..."""

import functools
import math

import cv2
import numpy as np

from siamkpn_jax.datasets.synthetic import signals

BANK_SIZE = 96  # textures per seed
_N = 256  # pixels, side of a texture
# Hues turn about the gray axis: the projection to it, and the cross product.
_GRAY = np.full((3, 3), 1 / 3)
_AXIS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
_Y, _X = np.mgrid[:_N, :_N].astype(np.float32) / _N


def random_colors(rng: np.random.Generator, count: int,
                   saturation: float = 0.9) -> np.ndarray:
  """Colors as things have them, mostly dull: [count, 3], BGR 0..255.

  The saturation is that of the least dull ones, 0..1.
  """
  hue, value, dull = rng.random((3, count, 1))
  wheel = 0.5 + 0.5 * np.cos(math.tau * (hue + np.arange(3) / 3))
  return 255 * (0.12 + 0.83 * value) * (1 - saturation * dull**2 * wheel)


def recolor(image: np.ndarray, mean: np.ndarray, *, hue: float = 0.,
             saturation: float = 1., contrast: float = 1.,
             old_mean: np.ndarray | None = None) -> np.ndarray:
  """Gives an image another mean color and turns its hues.

  Args:
    image: [h, w, 3] uint8.
    mean: [3] the new mean color, 0..255.
    hue: turn about the gray axis, radians.
    saturation: factor on the distance from gray.
    contrast: factor on the distance from the mean.
    old_mean: [3] mean color of the image, where the caller knows it.

  Returns:
    [h, w, 3] uint8, clipped.
  """
  if old_mean is None:
    old_mean = np.array(cv2.mean(image)[:3])
  turn = contrast * hue_turn(hue, saturation)
  return cv2.transform(
      image, np.column_stack([turn, np.asarray(mean) - turn @ old_mean]))


def hue_turn(hue: float, saturation: float = 1.) -> np.ndarray:
  """Matrix [3, 3] that turns colors by radians and scales them, off gray."""
  cos, sin = saturation * math.cos(hue), saturation * math.sin(hue)
  return _GRAY + cos * (np.eye(3) - _GRAY) + sin * _AXIS


@functools.lru_cache(maxsize=2 * BANK_SIZE)
def bank_texture(seed: int, number: int) -> np.ndarray:
  """Texture `number` (0..BANK_SIZE - 1) of a seed: [256, 256, 3] uint8.

  A pure function; the cache (38 MB at most) only saves time.
  """
  rng = signals.stream(signals.TEXTURE, seed, number)
  field = _FIELDS[number % len(_FIELDS)](rng)
  # Grain and uneven light lie over every material.
  field = (_unit(field) + rng.uniform(0.02, 0.25) * _noise(rng, 4, 8) +
           rng.uniform(0, 0.5) * _noise(rng, 1, 2))
  image = _colorize(rng, _unit(field))
  image.flags.writeable = False
  return image


def crop(rng: np.random.Generator, seed: int, side: int) -> np.ndarray:
  """A random square of a random texture, flipped at random, [side, side, 3]."""
  texture = bank_texture(seed, int(rng.integers(BANK_SIZE)))
  y, x = rng.integers(_N - side + 1, size=2)
  piece = texture[y:y + side, x:x + side]
  if rng.random() < 0.5:
    piece = piece.transpose(1, 0, 2)
  return np.ascontiguousarray(piece[::rng.choice((-1, 1))])


def _unit(field: np.ndarray) -> np.ndarray:
  low, high = field.min(), field.max()
  return (field - low) / max(high - low, 1e-6)


def _colorize(rng: np.random.Generator, field: np.ndarray) -> np.ndarray:
  """Maps a field [n, n] in 0..1 through a random palette, uint8 [n, n, 3]."""
  knots = int(rng.integers(2, 6))
  colors = random_colors(rng, knots)
  # Real materials have few hues: pull the palette towards its first color.
  colors += rng.uniform(0, 0.7) * (colors[:1] - colors)
  at = np.sort(np.r_[0, rng.random(knots - 2), 1])
  ramp = np.linspace(0, 1, 256)
  table = np.stack([np.interp(ramp, at, c) for c in colors.T], -1)
  return np.round(table).astype(np.uint8)[(field * 255).astype(np.uint8)]


def _noise(rng: np.random.Generator, first: int, last: int,
           stretch: float = 1.) -> np.ndarray:
  """Octaves `first`..`last` of smooth noise, about -1..1, [n, n] float32."""
  total, persistence = np.zeros((_N, _N), np.float32), rng.uniform(0.4, 0.75)
  for octave in range(first, last):
    rows = min(2**octave + 1, _N)
    cols = int(np.clip(rows / stretch, 2, _N))
    grid = rng.uniform(-1, 1, (rows, cols)).astype(np.float32)
    grid *= persistence**(octave - first)
    total += cv2.resize(grid, (_N, _N), interpolation=cv2.INTER_CUBIC)
  return total


def _cloud(rng):
  return _noise(rng, int(rng.integers(1, 4)), 8)


def _streaks(rng):
  """Grass, wood, fur: noise stretched one way and slightly bent."""
  field = _noise(rng, int(rng.integers(3, 5)), 8, rng.uniform(4, 16))
  return _bend(rng, field if rng.random() < 0.5 else field.T, 0.03)


def _bend(rng, field, strength):
  """Moves the points of a field by smooth noise."""
  dx, dy = (strength * _N * _noise(rng, 1, 4) for _ in range(2))
  return cv2.remap(np.ascontiguousarray(field), _X * _N + dx, _Y * _N + dy,
                   cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _marble(rng):
  angle, turns = rng.uniform(0, math.tau), rng.uniform(2, 9)
  ramp = _X * math.cos(angle) + _Y * math.sin(angle)
  return np.sin(math.tau * turns * ramp + rng.uniform(2, 6) * _noise(rng, 1, 6))


def _stripes(rng):
  """Stripes, checks or a grid, hard or soft, a little bent."""
  angle, turns = rng.uniform(0, math.pi), rng.uniform(3, 16)
  u = _X * math.cos(angle) + _Y * math.sin(angle)
  v = _Y * math.cos(angle) - _X * math.sin(angle)
  first = np.sin(math.tau * turns * u)
  second = np.sin(math.tau * turns * rng.uniform(0.5, 1.5) * v)
  kind = rng.integers(3)
  field = (first, first * second, np.maximum(first, second))[kind]
  hardness = rng.uniform(1, 8)
  field = np.clip(field * hardness + rng.uniform(-0.6, 0.6) * hardness, -1, 1)
  return _bend(rng, field, rng.uniform(0, 0.03))


def _cells(rng):
  """Pebbles, leaves, facets: Voronoi cells with shaded borders."""
  count = int(signals.log_uniform(rng, 12, 500))
  seeds = np.full((_N, _N), 255, np.uint8)
  seeds[rng.integers(_N, size=count), rng.integers(_N, size=count)] = 0
  distance, label = cv2.distanceTransformWithLabels(
      seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
  tone = rng.random(count + 1).astype(np.float32)[label]
  scale = _N / math.sqrt(count)
  return _bend(rng, tone - rng.uniform(0, 1.5) * distance / scale,
               rng.uniform(0, 0.02))


def _spots(rng):
  """Discs of random sizes over a smooth ground."""
  field = 0.3 * _noise(rng, 1, 4)
  largest = rng.uniform(4, 24)
  for _ in range(int(rng.integers(20, 160))):
    center = tuple(int(v) for v in rng.integers(_N, size=2))
    radius = int(largest * rng.random()**2) + 2
    cv2.circle(field, center, radius, rng.uniform(-1, 1), -1, cv2.LINE_AA)
  return _bend(rng, field, rng.uniform(0, 0.03))


def _bricks(rng):
  """Courses of bricks, tiles or windows with joints."""
  rows, cols = int(rng.integers(5, 20)), int(rng.integers(4, 14))
  field = np.full((_N, _N), rng.uniform(-1, 1), np.float32)
  height, width = _N / rows, _N / cols
  gap, shift = rng.uniform(0.1, 0.35), rng.choice((0., 0.5))
  for row in range(rows):
    for col in range(-1, cols):
      x, y = (col + shift * (row % 2)) * width, row * height
      corners = ((int(x), int(y)), (int(x + width * (1 - gap / 2)),
                                    int(y + height * (1 - gap))))
      cv2.rectangle(field, *corners, rng.uniform(-0.4, 0.4), -1)
  return field


def _marks(rng):
  """Letters and strokes: print, graffiti, twigs, cables."""
  field = 0.2 * _noise(rng, 1, 4)
  for _ in range(int(rng.integers(15, 60))):
    x, y, dx, dy = (int(v) for v in rng.integers(_N, size=4))
    tone, weight = rng.uniform(-1, 1), int(rng.integers(1, 6))
    if rng.random() < 0.5:
      cv2.line(field, (x, y), (x + dx // 2 - 64, y + dy // 2 - 64), tone,
               weight, cv2.LINE_AA)
    else:
      word = ''.join(chr(c) for c in rng.integers(48, 91, int(dx % 6) + 1))
      letters = np.zeros(field.shape, np.uint8)  # OpenCV 5 writes on no other
      cv2.putText(letters, word, (x - 60, y), int(dy % 5),
                  rng.uniform(0.5, 2.5), 255, weight)
      field[letters > 0] = tone
  return field


def _plain(rng):
  """Paint, sky, skin: hardly any structure."""
  return _noise(rng, 1, 3) + 0.1 * _noise(rng, 4, 8)


_FIELDS = (_cloud, _cells, _stripes, _streaks, _marble, _spots, _bricks,
           _marks, _plain, _cloud, _cells, _plain)
