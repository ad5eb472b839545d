r"""Tracks objects in a video, images, a camera or a stream.

  python -m siamkpn_jax.track in.mp4 --box 100,50,40,80 \
    --output out.mp4 --boxes out.csv

--help lists all flags; they are declared in cli/track.py.
"""

import functools

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.process import leave

main = functools.partial(execute, 'track')

if __name__ == '__main__':
  leave(main())
