"""What a protocol does, in words, and the command that scores by it."""

import shlex

from siamkpn_jax.evaluation.metrics import got10k, protocols, vot
from siamkpn_jax.evaluation.metrics.published import PUBLISHED
from siamkpn_jax.evaluation.report.entries import Entry

_BROKEN = {
    'lost': 'counts as a miss (in precision only with NaN)',
    'previous': 'is replaced by the previous box',
    'previous_unless_part_nan': 'is replaced by the previous box (a miss if '
                                'only some numbers are NaN)'}


def in_words(entry: Entry) -> list[str]:
  """Sentences on the protocol of an entry; none where it is not known."""
  name = entry.protocol
  if name == got10k.PROTOCOL and entry.benchmark == 'got10k':
    return ['Boxes are clipped to the image; the first frame and frames with '
            'an invisible target are skipped; all frames of all sequences have '
            'equal weight.',
            'AO is the mean overlap, SR the share of frames with an overlap '
            'above 0.5 or 0.75.']
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
  if not published or entry.num_sequences != published.num_sequences:
    parts += ['--sequences', ','.join(entry.sequences)]
  return shlex.join(['python', '-m', 'siamkpn_jax.score', *parts, '--json',
                     'scores.json'])


def _one_pass(rule: protocols.OnePass) -> list[str]:
  first = ('is taken from the annotation' if rule.first_box == 'annotation'
           else "is the result's")
  absent = ('as a miss' if rule.absence == 'lost' else 'like any other')
  lines = [
      'One pass: the tracker is initialized on the first frame and runs to '
      'the end. Success AUC is the mean share of frames whose overlap exceeds '
      f'{len(rule.overlap_thresholds)} thresholds from 0 to 1, precision the '
      'share whose center error is at most 20 pixels, normalized precision '
      'the same within 0.2 sides of the annotated box. All sequences have '
      'equal weight.',
      f'The box of the first frame {first}; an invalid result box '
      f'{_BROKEN[rule.broken_box]}; a frame whose target is marked as absent '
      f'counts {absent}.']
  if rule.nan_annotation == 'left_out':
    lines.append('Frames with NaN in the annotation are skipped.')
  return lines


def _supervised(rule: vot.Protocol) -> list[str]:
  low, high = rule.window
  inclusive = ('x + w' if rule.rule == 'pysot' else 'x + w - 1')
  average = ('all frames' if rule.rule == 'pysot' else
             'sequences, weighted by length')
  return [
      'Supervised: a tracker fails when its region does not overlap the '
      f'annotation, and is restarted {rule.skip} frames later. Accuracy is '
      f'the mean overlap without the first {rule.burn_in} frames after each '
      'start, robustness the number of failures per 100 frames, EAO the '
      f'expected average overlap on sequences of {low} to {high} frames.',
      f'A rectangle extends to pixel {inclusive}; accuracy is averaged over '
      f'{average}.']
