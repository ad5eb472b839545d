"""What a video file begins with, as FFmpeg's guess may be something else.

Where the head of a container is lost, FFmpeg takes what follows for a bare
stream: it shows most frames, numbered from wherever it found the first one.
"""

import re
from pathlib import Path

from siamkpn_jax.core.errors import UserError

# Of files that begin with one of `_KNOWN`; '': with no ending.
_SUFFIXES = ('', '.mp4', '.m4v', '.mov', '.qt', '.3gp', '.3g2', '.avi', '.mkv',
             '.webm', '.flv', '.wmv', '.asf', '.mpg', '.mpeg', '.m2p', '.vob',
             '.ts', '.mts', '.m2ts', '.mjpg', '.mjpeg')
_KNOWN = re.compile(
    rb'.{4}(?:ftyp|styp|moov|moof|sidx|prft|emsg|mdat|free|skip|wide|pnot|uuid|'
    rb'PICT|junk)|'  # mp4
    rb'RIFF|RIFX|\x1a\x45\xdf\xa3|FLV|\x30\x26\xb2\x75|OggS|DKIF|GIF8|\xff\xd8|'
    rb'\x89PNG|YUV4MPEG2|--|\x06\x0e\x2b\x34|\x1f\x07\x00|nut/|'  # MXF, DV, NUT
    rb'\x00\x00\x01[\xb0-\xbf\x00\x20-\x2f]|'
    rb'\x00{2,3}\x01[\x09\x27\x47\x67\x40\x46]',
    re.DOTALL)
# Of a transport stream, which may begin within a packet, of three lengths.
_SYNC = re.compile(
    rb'.{0,203}?(?:(?:G.{187}){3}|(?:G.{191}){3}|(?:G.{203}){3})', re.DOTALL)
_HEAD = 1024  # bytes


def check_beginning(name: str) -> None:
  """Checks the first bytes of a file that FFmpeg makes a video of.

  Raises:
    UserError: they are not those of a video.
  """
  with open(name, 'rb') as file:
    head = file.read(_HEAD)
  if (Path(name).suffix.lower() in _SUFFIXES and not _KNOWN.match(head) and
      not _SYNC.match(head)):
    raise UserError(
        f'{name}: damaged before its first frame (its first bytes are those of '
        'no video file), so that its frames cannot be numbered; expected an '
        'intact file: copy it again, or repair or convert it')


def is_program_stream(name: str) -> bool:
  """Whether a file is an MPEG program stream (.mpg, .vob)."""
  with open(name, 'rb') as file:
    return file.read(4) == b'\x00\x00\x01\xba'
