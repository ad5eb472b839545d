"""Formats of files of boxes, by name and by suffix."""

from pathlib import Path

from siamkpn_jax.core.errors import UserError

LABELS = {'cvat': '.xml', 'label_studio': '.json', 'coco_video': '.json'}
# The first of a suffix is what the suffix alone means.
SUFFIXES = {'csv': '.csv', 'json': '.json', 'otb': '.txt', 'mot': '.txt',
            **LABELS}


def boxes_format(path: Path, chosen: str | None, targets: int) -> str:
  """The format of a file: as chosen, else by its suffix.

  Args:
    path: of the file; .txt, or no suffix, is OTB text of one target, MOT text
      of several.
    chosen: one of `SUFFIXES`, or None.
    targets: how many.

  Raises:
    UserError: the suffix is not known, or the format has room for one target.
  """
  suffix = path.suffix.lower() or '.txt'
  kind = chosen or next(
      (kind for kind, usual in SUFFIXES.items() if usual == suffix and
       not (kind == 'otb' and targets > 1)), None)
  if kind is None:
    raise UserError(f'--boxes {path}: expected a name that ends in .csv, '
                    '.json, .txt or .xml, or --format '
                    f'{"|".join(SUFFIXES)}')
  if kind == 'otb' and targets > 1:
    raise UserError(f'--format otb: has room for one target, not {targets}; '
                    'expected csv, json or mot')
  return kind
