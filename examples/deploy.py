"""Tracks one target with ONNX Runtime and NumPy, and nothing else.

  siamkpn export --weights kpn3s_nano --format onnx --batch 1 --output nano
  python examples/deploy.py nano VIDEO X,Y,W,H

prints a line x,y,w,h,score per frame. OpenCV only reads the video: `Tracker`
takes frames from anywhere, [h, w, 3] uint8 BGR arrays.
"""

import json
import sys

import numpy as np
import onnxruntime

onnxruntime.disable_telemetry_events()  # nobody asked the user
# Where the first frame is looked at: places, in sizes of the target, and how
# much larger than it is it is taken to be.
LOOKS = ((0, 0, 1), (-.15, 0, 1), (.15, 0, 1), (0, -.15, 1), (0, .15, 1),
         (0, 0, .87), (0, 0, 1.15))
LOOKING = {name: np.float32([value]) for name, value in dict(
    penalty_k=0, window_influence=0, size_lr=1, threshold=.15).items()}


class Tracker:
  """One target; several may share a folder, each with a state of its own."""

  def __init__(self, folder: str):
    """Loads what the export wrote into a folder."""
    self._template, self._update = (
        onnxruntime.InferenceSession(f'{folder}/{name}.onnx')
        for name in ('template', 'update'))
    stored = self._update.get_modelmeta().custom_metadata_map
    self._settings = {name: np.float32([value]) for name, value in
                      json.loads(stored['hyperparameters']).items()}
    self._search_size = int(stored['search_size'])
    self._box_correction = float(stored.get('box_correction', 0))

  def init(self, frame, box_xywh):
    """Takes the target from its first frame; pixels, counted from 0."""
    x, y, w, h = map(float, box_xywh)
    self.center = np.float32([x + (w - 1) / 2, y + (h - 1) / 2])
    self.size = np.float32([w, h])
    pixels = frame.shape[0] * frame.shape[1]  # the mean color, rounded down
    self._fill = (frame.sum((0, 1), np.int64) // pixels).astype(np.uint8)
    crop = cut(frame, self.center, side(self.size), 127, self._fill)
    (self._kernels,) = self._template.run(None, {'crop': crop[None]})
    self._shift, self._ratio = self._measure(frame)

  def update(self, frame):
    """The box x,y,w,h in the next frame, and its score, 0..1."""
    scale = 127 / side(self.size)
    n = self._search_size
    crop = cut(frame, self.center, n / scale, n, self._fill)
    limit = np.float32(frame.shape[1::-1])
    center, size, score = self._find(
        crop, self.center, self.size * self._ratio, scale, limit)
    self.size = clip_size(size / self._ratio, limit)
    self.center = np.clip(center - self._shift * self.size, 0, limit)
    return (*(self.center - self.size / 2), *self.size), score

  def _find(self, crop, center, size, scale, limit, **settings):
    shift, size, score = self._update.run(['shift', 'new_size', 'score'], {
        'crop': crop[None], 'kernels': self._kernels, 'size': size[None],
        'scale': np.float32([scale]), **self._settings, **settings})
    return (np.clip(center + shift[0], 0, limit), np.clip(size[0], 0, limit),
            float(score[0]))

  def _measure(self, frame):
    """How the network's boxes differ from the given one, in the first frame."""
    n, found = self._search_size, [np.zeros((0, 4))]
    for right, down, larger in LOOKS if self._box_correction else ():
      place = self.center + np.float32([right, down]) * self.size
      scale = 127 / side(self.size * np.float32(larger))
      size = self.size * np.float32(larger * scale)  # in the crop
      center, new, score = self._find(
          cut(frame, place, n / scale, n, self._fill), np.float32([n / 2] * 2),
          size, 1, np.float32([n, n]), **LOOKING)
      shift = place + (center - n / 2) / scale - self.center
      ratio = (size + (new - size) / score) / scale / self.size
      if score > LOOKING['threshold'] and (
          max(abs(shift / self.size)) < 0.5 < min(ratio) and max(ratio) < 2):
        found.append([[*shift / self.size, *np.log(ratio)]])
    found = np.concatenate(found)
    mean = self._box_correction * found.sum(0) / max(len(found), 1)
    return np.float32(mean[:2]), np.float32(np.exp(mean[2:]))


def clip_size(size, limit):
  """At least 10 pixels, and no larger than the frame."""
  return np.minimum(np.maximum(size, np.float32(10)), limit)


def side(size):
  """The side of the square around a box that shows its surroundings, too."""
  (w, h), p = map(float, size), float(sum(map(float, size))) / 2
  return ((w + p) * (h + p)) ** 0.5


def cut(frame, center, pixels, output, fill):
  """A square of the frame, resized as OpenCV does: bilinear, in integers."""
  n = max(1, round(pixels))
  left, top = (int(np.floor(float(c) - (n + 1) / 2 + 0.5)) for c in center)
  exact = ((np.arange(output) + 0.5) * (n / output) - 0.5).astype(np.float32)
  first = np.floor(exact)
  upper = np.rint((exact - first) * np.float32(2048)).astype(np.int32)
  lower = np.rint((1 - exact + first) * np.float32(2048)).astype(np.int32)
  taps = np.clip([first, first + 1], 0, n - 1).astype(int)
  rows, row = np.unique(taps, return_inverse=True)  # of the square, in use
  height, width = frame.shape[:2]
  lines = frame[np.clip(rows + top, 0, height - 1)]
  lines[(rows + top < 0) | (rows + top >= height)] = fill
  square = lines.take(np.clip(taps + left, 0, width - 1), axis=1)
  square[:, (taps + left < 0) | (taps + left >= width)] = fill
  mixed = (square[:, 0] * lower[:, None] + square[:, 1] * upper[:, None]) >> 4
  row = row.reshape(2, output)
  mixed = ((mixed[row[0]] * lower[:, None, None] >> 16) +
           (mixed[row[1]] * upper[:, None, None] >> 16) + 2) >> 2
  return mixed.astype(np.uint8)


if __name__ == '__main__':
  import cv2

  if len(sys.argv) != 4:
    sys.exit('usage: python deploy.py FOLDER VIDEO X,Y,W,H')
  tracker, video = Tracker(sys.argv[1]), cv2.VideoCapture(sys.argv[2])
  first = video.read()[1]
  if first is None:
    sys.exit(f'{sys.argv[2]}: no frame; expected a video that OpenCV reads')
  tracker.init(first, sys.argv[3].split(','))
  while (image := video.read()[1]) is not None:
    box, score = tracker.update(image)
    print(*(f'{value:.4f}' for value in (*box, score)), sep=',')
