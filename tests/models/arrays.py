"""Arrays to compute with."""

import numpy as np


def normal(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
