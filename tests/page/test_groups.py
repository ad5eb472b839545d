"""Trackers that are kept do not grow with what joins a run."""

import types

import pytest

from siamkpn_jax.page import groups


@pytest.fixture
def made(monkeypatch):
  """What was loaded, by its slots and stages."""
  found = []

  def load(weights, *, slots, every_stage):
    targets = []
    found.append((slots, every_stage))
    return types.SimpleNamespace(
        targets=targets, slots=slots, remove=targets.remove,
        add=lambda frame, box: targets.append(box))

  monkeypatch.setattr(groups, 'load_batch_tracker', load)
  return found


@pytest.mark.parametrize('targets, stages, slots', [
    (1, True, 1), (2, False, 2), (3, False, 4), (8, True, 8)])
def test_a_group_is_full_with_its_slots(made, targets, stages, slots):
  trackers = groups.Trackers()
  group = trackers.group(targets, stages=stages)
  for number in range(slots):
    assert not group.full
    group.add(None, number)
  assert group.full
  assert not trackers.group(targets, stages=stages).full  # it is empty again
  assert made == [(slots, stages)]
