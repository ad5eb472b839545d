"""Pictures that JPEG treats as it treats photographs."""

import cv2
import numpy as np


def photograph(width, height, seed=0):
  """Smooth colors with edges, so that JPEG behaves as on photographs."""
  rng = np.random.default_rng(seed)
  image = cv2.resize(rng.uniform(0, 255, (9, 12, 3)).astype(np.float32),
                     (width, height), interpolation=cv2.INTER_CUBIC)
  for _ in range(12):
    x, y = int(rng.integers(width)), int(rng.integers(height))
    color = rng.uniform(0, 255, 3).tolist()
    cv2.ellipse(image, (x, y), (width // 9, height // 14), x, 0, 360, color,
                -1, cv2.LINE_AA)
  return image.clip(0, 255).astype(np.uint8)


def write_photograph(path, width, height, **kwargs):
  cv2.imwrite(str(path), photograph(width, height, **kwargs),
              [cv2.IMWRITE_JPEG_QUALITY, 95])
  return path


def turned(jpeg):
  """The JPEG with EXIF that tells to turn it by 90 degrees."""
  tiff = (b'MM\x00\x2a\x00\x00\x00\x08\x00\x01'
          b'\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00'
          b'\x00\x00\x00\x00')
  exif = b'Exif\x00\x00' + tiff
  return (jpeg[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif +
          jpeg[2:])
