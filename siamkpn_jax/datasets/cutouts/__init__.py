"""Training scenes of cut-out objects before other pictures, made when read.

From the bottom up: sprites are the cut-outs as pixels, library finds them and
the backdrops in folders, poses puts a cut-out into a scene, backdrop is what
lies behind, shot puts all of it together and source hands it out.
"""

from siamkpn_jax.datasets.cutouts.library import open_library
from siamkpn_jax.datasets.cutouts.source import CutoutSource

__all__ = ['CutoutSource', 'open_library']
