"""Synthetic tracking videos, drawn on the fly from a seed (numpy, OpenCV).

From the bottom up: signals (random streams, motion), textures, contours,
shapes, articulated shapes and appearance make things; sprites paints a moving
one; backdrop, effects and actors are the world, the camera and the things of
one video; scene
puts it together and source hands it out.
"""

from siamkpn_jax.datasets.synthetic.scene import Scene
from siamkpn_jax.datasets.synthetic.source import (
    SPLITS,
    SyntheticSource,
    split_seed,
    write_otb,
)

__all__ = ['SPLITS', 'Scene', 'SyntheticSource',
           'split_seed', 'write_otb']
