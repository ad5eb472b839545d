"""VOT annotations and results on disk, for tests."""

import json

import cv2
import numpy as np


def write_rows(path, rows):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(''.join(','.join(str(float(v)) for v in row) + '\n'
                          for row in rows))


def write_folder(root, sequences, *, images=True, tags=None, size=(60, 40)):
  """The vot-toolkit's layout; sequences: name -> rows of the annotation."""
  root.mkdir(parents=True, exist_ok=True)
  (root / 'list.txt').write_text('\n'.join(sequences) + '\n')
  for name, rows in sequences.items():
    folder = root / name
    write_rows(folder / 'groundtruth.txt', rows)
    for tag, values in (tags or {}).get(name, {}).items():
      (folder / f'{tag}.tag').write_text('\n'.join(map(str, values)))
    (folder / 'sequence').write_text(
        'channels.color=color/%08d.jpg\nfps=30\n'
        f'width={size[0]}\nheight={size[1]}\nlength={len(rows)}\n')
    if images:
      (folder / 'color').mkdir()
      for i in range(len(rows)):
        image = np.full((size[1], size[0], 3), i, np.uint8)  # tells the frame
        cv2.imwrite(str(folder / 'color' / f'{i + 1:08d}.png'), image)
  return root


def write_json(path, sequences, *, tags=None, size=(60, 40)):
  """pysot's file."""
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps({
      name: {'video_dir': name, 'init_rect': rows[0], 'gt_rect': rows,
             'img_names': [f'{name}/color/{i + 1:08d}.png'
                           for i in range(len(rows))],
             **(tags or {}).get(name, {}),
             **({'width': size[0], 'height': size[1]} if size else {})}
      for name, rows in sequences.items()}))
  return path


def write_results(root, runs):
  """name -> repetitions -> rows."""
  for name, repetitions in runs.items():
    for i, rows in enumerate(repetitions):
      write_rows(root / 'baseline' / name / f'{name}_{i + 1:03d}.txt', rows)
  return root


def random_case(seed, lengths, failure_rate=0.03):
  """Sequences of moving regions and a tracker that strays and fails.

  Returns:
    name -> rows of the annotation, name -> rows of the result.
  """
  rng = np.random.default_rng(seed)
  truth, runs = {}, {}
  for k, length in enumerate(lengths):
    name = f'seq{k}'
    place = rng.uniform(10, 25, 2)
    rows, run = [], []
    next_start = 0
    for i in range(length):
      place = np.clip(place + rng.normal(0, 1, 2), 0, [45, 28])
      w, h = rng.uniform(8, 14, 2)
      rows.append([*place, w, h] if k % 2 else _turned(place, w, h, i / 20))
      if i < next_start:
        run.append([0])
      elif i == next_start:
        run.append([1])
      elif rng.random() < failure_rate:
        run.append([2])
        next_start = i + 5
      else:
        run.append([*(place + rng.normal(0, 2, 2)), w, h])
    truth[name], runs[name] = _rounded(rows), _rounded(run)
  return truth, runs


def _turned(place, w, h, angle):
  turn = np.array([[np.cos(angle), np.sin(angle)],
                   [-np.sin(angle), np.cos(angle)]])
  half = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2
  return (half @ turn + place + [w / 2, h / 2]).ravel()


def _rounded(rows):
  return [[round(float(v), 3) for v in row] for row in rows]
