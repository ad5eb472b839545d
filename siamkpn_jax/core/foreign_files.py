"""What a file is that is not what its name says."""

from pathlib import Path

_HEAD = 512  # bytes that tell it
# How a file begins -> what it is.
_KINDS = {
    b'version https://git-lfs': 'a Git LFS pointer, not the file itself: fetch '
                                'it with git lfs pull',
    b'<!doctype': 'an HTML page, not the file it links to: download the file '
                  'itself',
    b'<html': 'an HTML page, not the file it links to: download the file '
              'itself',
    b'<?xml': "an XML text, such as a server's error message: download the "
              'file again',
    b'{"error': "a server's error message: download the file again",
    b'\x1f\x8b': 'gzip-compressed: unpack it (gunzip, tar -xzf)',
    b'7z\xbc\xaf\x27\x1c': 'a 7z archive: unpack it',
    b'Rar!': 'a RAR archive: unpack it',
    b'\x89HDF': 'an HDF5 file: save its arrays as .npz'}


def foreign_kind(path: Path) -> str:
  """What a file is, and what to do; '' if it may be weights.

  Raises:
    OSError: it cannot be read.
  """
  with path.open('rb') as file:
    head = file.read(_HEAD)
  if not head:
    return 'an empty file: download it again'
  start = head.removeprefix(b'\xef\xbb\xbf').lstrip().lower()
  for magic, kind in _KINDS.items():
    if start.startswith(magic.lower()) or head.startswith(magic):
      return kind
  return ''
