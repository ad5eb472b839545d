"""Which tracks are in one video, as far as their images tell."""

import numpy as np


def groups_of(starts: np.ndarray, folder_ids: np.ndarray,
              names: np.ndarray) -> np.ndarray:
  """Joins the tracks that have an image in common, and what these have, too.

  Args:
    starts: [t + 1] where each track's frames begin.
    folder_ids: [n] of each frame's image.
    names: [n] of each frame's image in its folder.

  Returns:
    [t] int32, equal for tracks that were joined: the first track's number.
  """
  tracks = np.repeat(np.arange(len(starts) - 1, dtype=np.int32),
                     np.diff(starts))  # n
  tracks, images = _in_shared_folders(tracks, folder_ids, names)
  groups = np.arange(len(starts) - 1, dtype=np.int32)
  lowest = np.empty(images.max(initial=-1) + 1, np.int32)
  while True:
    before = groups.copy()
    lowest[:] = len(groups)
    np.minimum.at(lowest, images, groups[tracks])
    np.minimum.at(groups, tracks, lowest[images])
    # The first track of a group, too: else a chain takes as many rounds as it
    # has tracks.
    np.minimum.at(groups, before[tracks], lowest[images])
    groups = groups[groups]
    if np.array_equal(groups, before):
      return groups


def _in_shared_folders(tracks: np.ndarray, folder_ids: np.ndarray,
                       names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Track and number of the image of frames whose folder is of several tracks.

  Names are compared there alone: most large sets have a folder for each track.
  """
  folders = folder_ids.max(initial=-1) + 1
  low = np.full(folders, len(tracks), np.int32)
  high = np.full(folders, -1, np.int32)
  np.minimum.at(low, folder_ids, tracks)
  np.maximum.at(high, folder_ids, tracks)
  frames = np.flatnonzero((low < high)[folder_ids])
  found, images = np.unique(names[frames], return_inverse=True)
  images = folder_ids[frames].astype(np.int64) * len(found) + images
  return tracks[frames], np.unique(images, return_inverse=True)[1]
