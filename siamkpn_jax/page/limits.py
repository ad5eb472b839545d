"""How much the page takes on."""

import dataclasses

SECONDS_OF_CAMERA = 300.0
SIDE_SHOWN = 1280  # pixels at most of a frame that a browser gets


class RefusedError(Exception):
  """What the page will not do; the message is one line for the person.

  Attributes:
    status: of HTTP.
  """

  def __init__(self, status: int, line: str):
    super().__init__(line)
    self.status = status


@dataclasses.dataclass(frozen=True)
class Limits:
  """What one server allows.

  Attributes:
    upload_mb: megabytes of an uploaded file.
    upload_minutes: that an upload may take.
    seconds: of a video.
    frames: of a video.
    pixels: of a frame.
    clients: videos and cameras that are open at the same time.
    targets: of one video or camera.
    minutes: after which a video that nobody looks at is removed.
    patience: seconds without a byte of an upload, or a frame of a camera.
  """

  upload_mb: float = 200.
  upload_minutes: float = 15.
  seconds: float = 120.
  frames: int = 3600
  pixels: int = 4096 * 2304
  clients: int = 8
  targets: int = 8
  minutes: float = 30.
  patience: float = 30.

  @property
  def upload_bytes(self) -> int:
    """Of an uploaded file."""
    return int(self.upload_mb * 1e6)
