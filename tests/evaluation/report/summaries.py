"""Score files for the tests: small, of every kind."""

import json

import numpy as np

from siamkpn_jax.evaluation.report.entries import make_entry

HOSTILE = '<script>alert(1)</script>&"\'_%$#{}\\~^'


def one_pass(benchmark='otb', protocol='otb', count=100, auc=0.5, **changes):
  names = [f'S{k}' for k in range(min(count, 4))]
  row = lambda value: {'success_auc': value, 'precision_20': value + 0.1,
                       'norm_precision': value + 0.05}
  return {
      'benchmark': benchmark, 'protocol': protocol, 'rule': 'a toolkit',
      'annotations': 'DATA', 'results': 'RUN', 'num_sequences': count,
      'num_frames': 50 * count, **row(auc), 'notes': ['one note'],
      'sequences': {name: {'frames': 50 + k, **row((auc + k) / 9)}
                    for k, name in enumerate(names)},
      'attributes': {a: {'num_sequences': k, **row(auc - k / 50)}
                     for k, a in enumerate(('IV', 'OCC', 'SV'), start=1)},
      'success_curve': np.linspace(1, 0, 21).tolist(),
      'precision_curve': np.linspace(0, 1, 51).tolist(),
      'norm_precision_curve': np.linspace(0, 1, 51).tolist()} | changes


def vot(count=60, eao=0.42, failures=38.0, **changes):
  row = lambda n: {'accuracy': 0.5, 'robustness': n, 'failures': n}
  return {
      'benchmark': 'vot2018', 'protocol': 'vot2018_pysot', 'rule': 'pysot',
      'annotations': 'VOT2018.json', 'results': 'RUN', 'num_sequences': count,
      'num_frames': 21356, 'eao': eao, **row(failures), 'notes': [],
      'sequences': {f'v{n}': {**row(float(n)), 'frames': 200}
                    for n in range(4)},
      'attributes': {tag: {'eao': (eao or 0.4) - k / 20, **row(1.0),
                           'frames': 10 * k}
                     for k, tag in enumerate(('a', 'b', 'c', 'empty'))},
      'eao_curve': [*np.linspace(1, 0.2, 400).tolist(), None]} | changes


def got10k(count=180, **changes):
  row = {'ao': 0.5, 'sr50': 0.6, 'sr75': 0.7}
  return {
      'benchmark': 'got10k', 'protocol': 'got10k', 'num_sequences': count,
      'num_frames': 9, **row, 'attributes': {},
      'sequences': {'a': {'frames': 5, 'ao': None, 'sr50': None, 'sr75': None},
                    'b': {'frames': 4, **row}},
      'success_curve': np.linspace(1, 0, 101).tolist()} | changes


def entries(**summaries):
  # By way of JSON, as from a file.
  return [make_entry(name, json.loads(json.dumps(summary)))
          for name, summary in summaries.items()]
