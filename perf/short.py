"""The measurements of this folder in their short forms, one after the other.

  python -m perf.short --output runs/perf --data SEQUENCES --models PEERS

About ten minutes on two quiet cores. What each prints is shown, and kept in
--output. Without --data or --models, what needs them is left out.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from siamkpn_jax.cli.command import execute
from siamkpn_jax.cli.parser import Parser
from siamkpn_jax.core.errors import UserError

_DATA, _MODELS, _FOLDER = '{data}', '{models}', '{folder}'
RUNS = (
    ('inference', '--json', f'{_FOLDER}/inference.json'),
    ('convolutions', '--rounds', '20', '--json',
     f'{_FOLDER}/convolutions.json'),
    ('startup', '--rounds', '2', '--json', f'{_FOLDER}/startup.json'),
    # Random weights: speed alone.
    ('peers', '--config', 'configs/kpn3s_nano.py', '--data', _DATA, '--models',
     _MODELS, '--peer', 'TrackerNano', '--onnx', '--int8', '--rounds', '12',
     '--frames', '40', '--output', f'{_FOLDER}/peers'),
    ('targets', '--rounds', '6', '--json', f'{_FOLDER}/targets.json'),
    ('overhead', '--rounds', '12', '--json', f'{_FOLDER}/overhead.json'),
    ('torch_frame', '--config', 'configs/kpn3s.py', '--rounds', '3', '--json',
     f'{_FOLDER}/float32.json'),
    ('torch_frame', '--config', 'configs/kpn3s.py', '--dtype', 'bfloat16',
     '--rounds', '3', '--json', f'{_FOLDER}/bfloat16.json'),
    ('evaluation', '--data', _DATA, '--batch', '8', '--frames', '40',
     '--rounds', '3'),
    ('train_step', '--config', 'configs/kpn3s_nano.py',
     '--config.train.batch_size=8', '--rounds', '5', '--steps', '1'),
)


def add_arguments(parser: Parser) -> None:
  """Declares the flags."""
  parser.add_argument('--output', required=True, help='New or own folder.')
  parser.add_argument('--data', default='', help='Sequences in OTB layout.')
  parser.add_argument(
      '--models', default='', help="Folder of the peers' files.")


def run(args: argparse.Namespace) -> int:
  """Runs them; returns 1 if any failed."""
  folder = Path(args.output)
  for flag, path in (('--data', args.data), ('--models', args.models)):
    if path and not Path(path).is_dir():
      raise UserError(f'{flag} {path}: no such folder; expected it, or no such '
                      'flag')
  folder.mkdir(parents=True, exist_ok=True)
  given = {_DATA: args.data, _MODELS: args.models, _FOLDER: str(folder)}
  failed = False
  for number, (name, *arguments) in enumerate(RUNS, start=1):
    missing = [part for part in arguments if not given.get(part, part)]
    if missing:
      flags = ' and '.join(f'--{part[1:-1]}' for part in missing)
      print(f'\n{name}: left out, needs {flags}')
      continue
    failed |= not _one(folder / f'{number}_{name}.txt', name,
                       [_filled(a, given) for a in arguments])
  return int(failed)


def _filled(argument: str, given: dict[str, str]) -> str:
  for part, value in given.items():
    argument = argument.replace(part, value)
  return argument


def _one(text: Path, name: str, arguments: list[str]) -> bool:
  command = [sys.executable, '-m', f'perf.{name}', *arguments]
  print(f'\n{" ".join(["python", *command[1:]])}', flush=True)
  start = time.perf_counter()
  with text.open('w') as kept, subprocess.Popen(
      command, stdout=subprocess.PIPE, text=True) as process:
    assert process.stdout is not None
    for line in process.stdout:
      print(line, end='', flush=True)
      kept.write(line)
  print(f'{name}: {time.perf_counter() - start:.0f} s'
        + (f', failed ({process.returncode})' if process.returncode else ''))
  return process.returncode == 0


if __name__ == '__main__':
  sys.exit(execute(sys.modules[__name__], prog='python -m perf.short'))
