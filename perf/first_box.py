"""One tracker's first box, in a process of its own; see perf/startup.py.

  python -m perf.first_box ENGINE WEIGHTS MODELS

Prints the clock at each step and the CPU seconds of all threads, as JSON. It
imports what a user's program would.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ENGINES = ('jax', 'onnxruntime')
STEPS = ('imports', 'load', 'init', 'update')
CPU = 'CPU'


def main(argv: Sequence[str]) -> None:
  """Tracks a square from one frame to the next."""
  if len(argv) != 3:
    sys.exit('error: expected ENGINE WEIGHTS MODELS; python -m perf.startup '
             'calls this program')
  engine, weights, models = argv
  if engine in ENGINES:
    import siamkpn_jax
    siamkpn_jax.use_compilation_cache()
    load = siamkpn_jax.load_tracker
    make = lambda: load(weights or None, engine=engine)
  else:
    from perf.opencv_trackers import find_trackers
    make = lambda: find_trackers(Path(models), [engine]).trackers[engine]
  import numpy as np
  clock = [time.time()]
  tracker = make()
  clock.append(time.time())
  frame = np.full((480, 640, 3), 90, np.uint8)
  frame[200:260, 300:360] = np.random.default_rng(0).integers(
      0, 256, (60, 60, 3), np.uint8)
  tracker.init(frame, [300, 200, 60, 60])
  clock.append(time.time())
  tracker.update(frame)
  clock.append(time.time())
  print(json.dumps({**dict(zip(STEPS, clock, strict=True)),
                    CPU: time.process_time()}))


if __name__ == '__main__':
  main(sys.argv[1:])
