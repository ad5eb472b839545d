"""What a protocol does, in words, and the command that scores by it."""

import shlex

from siamkpn_jax.evaluation.metrics import got10k, protocols, vot
from siamkpn_jax.evaluation.metrics.published import PUBLISHED
from siamkpn_jax.evaluation.report.entries import Entry

# Longer lists of sequences are not written into a command.
_LISTED = 20

_BROKEN = {
    'lost': 'is a miss', 'previous': 'is replaced by the box before',
    'previous_unless_part_nan': 'is replaced by the box before (a miss where '
                                'some numbers alone are NaN)'}


def in_words(entry: Entry) -> list[str]:
  """Sentences on the protocol of an entry; none where it is not known."""
  name = entry.protocol
  if name == got10k.PROTOCOL and entry.benchmark == 'got10k':
    return ['Boxes are clipped to the image; the first frame and frames in '
            'which nothing of the target is visible are left out; every frame '
            'of every sequence counts the same.',
            'AO is the mean overlap, SR the share of frames with an overlap '
            'above 0.5 and 0.75.']
  if name in protocols.ONE_PASS:
    return _one_pass(protocols.ONE_PASS[name])
  if name in vot.PROTOCOLS:
    return _supervised(vot.PROTOCOLS[name])
  return []


def score_command(entry: Entry) -> str:
  """The command that makes the scores from the result files."""
  parts = ['--benchmark', entry.benchmark]
  if entry.texts['annotations']:
    parts += ['--annotations', entry.texts['annotations']]
  if entry.texts['results']:
    parts += ['--results', entry.texts['results']]
  parts += ['--protocol', entry.protocol]
  if entry.figures.get('shift'):
    parts += [f'--shift={entry.figures["shift"]:g}']
  published = PUBLISHED.get(entry.benchmark)
  if (published and entry.num_sequences != published.num_sequences
      and len(entry.sequences) <= _LISTED):
    parts += ['--sequences', ','.join(entry.sequences)]
  return shlex.join(['python', '-m', 'siamkpn_jax.score', *parts, '--json',
                     'scores.json'])


def _one_pass(rule: protocols.OnePass) -> list[str]:
  first = ('is taken from the annotation' if rule.first_box == 'annotation'
           else "is the result's")
  absent = ('a miss' if rule.absence == 'lost' else 'as any other')
  lines = [
      'One pass: the tracker is started on the first frame and runs to the '
      'end. The success AUC is the mean share of frames whose overlap is '
      f'above {len(rule.overlap_thresholds)} thresholds from 0 to 1, the '
      'precision the share whose center is within 20 pixels, the normalized '
      'precision within 0.2 sides of the annotated box; sequences count the '
      'same, however long.',
      f'The box of the first frame {first}; a broken box of the result '
      f'{_BROKEN[rule.broken_box]}; a frame whose target is marked as absent '
      f'is {absent}.']
  if rule.nan_annotation == 'left_out':
    lines.append('Frames whose annotation has NaN are left out.')
  return lines


def _supervised(rule: vot.Protocol) -> list[str]:
  low, high = rule.window
  inclusive = ('x + w' if rule.rule == 'pysot' else 'x + w - 1')
  average = ('all frames' if rule.rule == 'pysot' else
             'sequences, weighted by their length')
  return [
      'Supervised: a tracker whose region has no overlap with the annotation '
      f'has failed and is started again {rule.skip} frames later. Accuracy is '
      f'the mean overlap, without {rule.burn_in} frames from each start; '
      'robustness the failures in 100 frames; EAO the expected average '
      f'overlap over a sequence of {low} to {high} frames.',
      f'A rectangle reaches to pixel {inclusive}; accuracy is the mean over '
      f'{average}.']
