"""Labels that several tests read: the files, and the boxes in one of them."""

from pathlib import Path

LABELS = Path(__file__).parent / 'labels'
XML = (LABELS / 'cvat_video.xml').read_text()
# The boxes of XML: target, frame counted from 1.
CARS = {0: {1: (10, 20, 30.5, 10), 2: (11, 20, 30.5, 10),
            3: (12, 20, 30.5, 10)},
        1: {k: (6 + k, 3, 4, 10) for k in (2, 3, 4, 5)}}
