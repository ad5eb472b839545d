"""TrackingNet's test sequences.

  <root>/TEST/frames/<sequence>/0.jpg ...
  <root>/TEST/anno/<sequence>.txt    the first box

The folder may also be <root>/TEST itself. The other boxes are not public, so
results can be submitted and not scored.
"""

from pathlib import Path

from siamkpn_jax.evaluation.formats.annotations import (
    Annotation,
    read_truth,
    some,
)

_LAYOUT = 'TEST/anno/<sequence>.txt and TEST/frames/<sequence>/*.jpg'


def load(folder: Path) -> list[Annotation]:
  """All sequences, sorted by name.

  Raises:
    UserError: nothing to read, or a damaged file.
  """
  home = folder / 'TEST' if (folder / 'TEST').is_dir() else folder
  return some([Annotation(path.stem, read_truth(path),
                          images=home / 'frames' / path.stem)
               for path in sorted((home / 'anno').glob('*.txt'))],
              folder, _LAYOUT)
