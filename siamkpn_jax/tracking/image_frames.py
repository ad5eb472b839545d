"""Images that are the frames of a video: those of a folder or a pattern."""

import glob
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.core.images import (
    SUFFIXES,
    frame_names,
    is_image,
    list_images,
    read_image,
)
from siamkpn_jax.tracking.quiet import mute_stderr

_KINDS = ', '.join(sorted(SUFFIXES))


class Images(NamedTuple):
  """Frames in order, at least one, and what is unusual."""

  paths: list[Path]
  notes: tuple[str, ...]


def find_images(name: str) -> Images:
  """The images of a folder, or those that a pattern fits.

  Raises:
    UserError: there are none, or they are not those of one folder.
  """
  return _in_folder(Path(name)) if os.path.isdir(name) else _fitting(name)


def _in_folder(folder: Path) -> Images:
  paths = list_images(folder) or list_images(folder / 'img')
  if not paths:
    raise UserError(
        f'{folder}: no images in this folder or its img subfolder; expected '
        f'{_KINDS} files: check the path, or use a video file')
  there = [path.name for path in paths[0].parent.iterdir()
           if is_image(path.name)]
  return Images(paths, _doubtful_names(paths, there))


def _fitting(pattern: str) -> Images:
  fitting = sorted(glob.glob(pattern, recursive=True))
  found = [Path(path) for path in fitting if is_image(os.path.basename(path))]
  if not found:
    near = next(filter(os.path.isdir, fitting), None)
    advice = f'use the folder {near}' if near else 'check it'
    raise UserError(f'input {pattern!r}: no image fits this pattern; expected '
                    f'{_KINDS} files: {advice}')
  folders = {path.parent for path in found}
  if len(folders) > 1:
    first, second, *_ = sorted(folders)
    raise UserError(f'input {pattern!r}: images of {len(folders)} folders, as '
                    f'{first} and {second}; expected the frames of one video')
  (folder,) = folders
  there = [path.name for path in found]
  paths = [folder / name for name in frame_names(there)]
  return Images(paths, _doubtful_names(paths, there))


def _doubtful_names(paths: list[Path], there: list[str]) -> tuple[str, ...]:
  """What to say of images that may not be frames of one video.

  Args:
    paths: of the frames.
    there: names of all images that were meant.
  """
  folder = paths[0].parent
  left = set(there) - {path.name for path in paths}
  notes = []
  if left:
    notes.append(f'{folder}: {len(left)} images without a number in the name '
                 f'are no frames, as {min(left)}')
  kinds: dict[str, list[str]] = {}
  for path in paths:
    kinds.setdefault(re.sub('[0-9.]+', '0', path.stem), []).append(path.name)
  if len(kinds) > 1:
    notes.append(f'{folder}: images of different names, ' + ', '.join(
        f'{len(names)} as {names[0]}' for names in list(kinds.values())[:4]) +
        ': all are taken for frames, in the order of their names')
  return tuple(notes)


def read_frame(path: Path) -> np.ndarray:
  """[h, w, 3] uint8 BGR; UserError if it cannot be read."""
  with mute_stderr():  # libpng and libjpeg write there of damaged files
    return read_image(path)
