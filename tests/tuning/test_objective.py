"""Scores equal those of the benchmarks' own code, on all sequences at once."""

import dataclasses
import json

import numpy as np
import pytest

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.datasets.formats.annotations import Annotation
from siamkpn_jax.evaluation.formats import regions
from siamkpn_jax.evaluation.formats.vot_sequences import VotSequence
from siamkpn_jax.evaluation.metrics import got10k, ope, protocols, vot
from siamkpn_jax.tuning.objective import (
  AverageOverlapObjective,
  Measurement,
  SuccessObjective,
)
from siamkpn_jax.tuning.vot_objective import EaoObjective
from tests.evaluation import vot_files

LENGTHS = (50, 33, 71, 12)


def _boxes(seed, origin):
  """Annotations, in their files' convention, and 0-based results."""
  rng = np.random.default_rng(seed)
  annotations, tracked = [], []
  for i, length in enumerate(LENGTHS):
    truth = np.concatenate([rng.uniform(0, 40, (length, 2)),
                            rng.uniform(5, 20, (length, 2))], axis=1)
    annotations.append(Annotation(
        f'seq{i}', truth, origin, visible=rng.random(length) > 0.2,
        frame_size=(60, 50)))
    tracked.append(truth + rng.normal(0, 3, truth.shape)
                   - np.array([origin, origin, 0, 0]))
  return annotations, tracked


def _stored(objective, tracked):
  """What a trial log gives back."""
  return [Measurement(**json.loads(json.dumps(dataclasses.asdict(
      objective.measure(i, result)))))
          for i, result in enumerate(tracked)]


@pytest.mark.parametrize('origin', [0, 1])
@pytest.mark.parametrize('protocol', protocols.ONE_PASS.values(),
                         ids=protocols.ONE_PASS)
def test_success(protocol, origin):
  annotations, tracked = _boxes(0, origin)
  objective = SuccessObjective(annotations, protocol)
  measured = _stored(objective, tracked)
  expected = ope.mean_score({
      a.name: ope.score_sequence(
          np.round(result + np.array([origin, origin, 0, 0]), 4), a.boxes_xywh,
          protocol=protocol, visible=a.visible)
      for a, result in zip(annotations, tracked, strict=True)}).success_auc
  assert objective.score(measured) == pytest.approx(expected, abs=1e-12)
  assert 0.2 < expected < 0.9
  assert objective.protocol == protocol.name


def test_average_overlap():
  """All frames count the same, so the sequences do not."""
  annotations, tracked = _boxes(1, 0)
  objective = AverageOverlapObjective(annotations)
  measured = _stored(objective, tracked)
  expected = got10k.figures(np.concatenate([
      got10k.sequence_overlaps([np.round(result, 4)], a.boxes_xywh,
                               visible=a.visible, frame_size=a.frame_size)
      for a, result in zip(annotations, tracked, strict=True)]))['ao']
  assert objective.score(measured) == pytest.approx(expected, abs=1e-12)
  perfect = [a.boxes_xywh for a in annotations]
  values = [m.value for m in _stored(objective, perfect)]
  assert np.mean(values) == pytest.approx(1, abs=1e-4)
  assert np.ptp(values) > 0.5  # the long ones weigh more


def test_sequence_that_cannot_be_seen():
  annotations, tracked = _boxes(1, 0)
  annotations[1].visible[:] = False
  objective = AverageOverlapObjective(annotations)
  measured = _stored(objective, tracked)
  assert measured[1].value == 0
  assert 0 < objective.score(measured) < 1
  with pytest.raises(UserError, match='no frame with a visible target'):
    AverageOverlapObjective(annotations[1:2])


@pytest.mark.parametrize('rule', ['pysot', 'vot-toolkit'])
@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('rate', [0, 0.05])
def test_eao(rule, seed, rate):
  truth, runs = vot_files.random_case(seed, LENGTHS, rate)
  sequences = [VotSequence(name, regions.from_rows(rows), {}, size=(60, 40))
               for name, rows in truth.items()]
  tracked = [regions.from_rows(run) for run in runs.values()]
  protocol = vot.Protocol('test', rule, (10, 40), 'none')
  objective = EaoObjective(sequences, protocol)
  measured = _stored(objective, tracked)
  expected = vot.score(sequences, {
      s.name: [run] for s, run in zip(sequences, tracked, strict=True)},
      protocol)
  assert objective.score(measured) == expected['eao']  # in every bit
  for m, run, sequence in zip(measured, tracked, sequences, strict=True):
    overlaps = vot.eao_overlaps(run, sequence.truth, (60, 40), rule)
    assert m.value == pytest.approx(
        np.where(run.present, overlaps, 0).mean())


def test_results_that_do_not_belong_to_the_sequence():
  annotations, tracked = _boxes(2, 0)
  objective = SuccessObjective(annotations, protocols.PYSOT)
  with pytest.raises(UserError, match='sequence seq0: 49 result boxes'):
    objective.measure(0, tracked[0][:-1])
  truth, runs = vot_files.random_case(0, LENGTHS)
  objective = EaoObjective(
      [VotSequence('a', regions.from_rows(truth['seq0']), {}, size=(60, 40))],
      vot.find_protocol('vot2019_pysot'))
  with pytest.raises(UserError, match='sequence a: 33 regions for 50 frames'):
    objective.measure(0, regions.from_rows(runs['seq1']))


def test_sequences_too_short_for_eao_are_refused():
  """Every trial would have none, and an arbitrary one would win."""
  sequence = VotSequence('a', regions.from_rows([[1, 2, 3, 4]] * 99), {},
                         size=(60, 40))
  with pytest.raises(UserError, match='100 frames or more, but the longest '
                     'has 99'):
    EaoObjective([sequence], vot.find_protocol('vot2018_pysot'))


def test_hidden_boxes_are_refused():
  annotations = [Annotation('test_1', np.array([[1.0, 2, 3, 4]]))]
  with pytest.raises(UserError, match='test_1 has only its first box'):
    SuccessObjective(annotations, protocols.OTB)
