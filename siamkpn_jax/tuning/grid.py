"""The paper's two-level grid (SPEC 8), as lists of hyperparameters.

The first level takes 0, 0.1 ... 0.9 for each of the three; the second
goes around the best of the first. The paper says "by 0.01" and not how far:
here to 0.05 on both sides, where the neighbors' own surroundings begin, so 11
values each. In general the first level is 0, step, 2 step ... below 1, and the
second goes by step / 10 to step / 2 on both sides.
"""

import itertools
import random
from collections.abc import Sequence

from siamkpn_jax.core.errors import UserError
from siamkpn_jax.tuning.trial_runner import TrialParams, rounded

STEP = 0.1
_FINER = 10  # steps of the second level in one of the first


def level_one(step: float = STEP) -> list[TrialParams]:
  """All points of the first level; 1000 at the paper's step.

  Raises:
    UserError: a step that is not above 0 and below 1, or too small.
  """
  if not 0.01 <= step < 1:
    raise UserError(f'--step {step:g}: expected 0.01 or more and below 1; 0.1 '
                    'gives 10 values for each of the three hyperparameters')
  values = list(itertools.takewhile(
      lambda value: value < 1, (round(i * step, 6) for i in itertools.count())))
  return [rounded(numbers) for numbers in itertools.product(values, repeat=3)]


def level_two(best: TrialParams, step: float = STEP
              ) -> list[TrialParams]:
  """All points around the best of the first level, it among them.

  Others below 0, or 1 and more, are left out; 11^3 remain inside.
  """
  offsets = range(-(_FINER // 2), _FINER // 2 + 1)
  axes = [
      [value for value in (round(center + i * step / _FINER, 6)
                           for i in offsets)
       if 0 <= value < 1 or value == round(center, 6)]
      for center in (best.penalty_k, best.window_influence, best.size_lr)]
  return [rounded(numbers) for numbers in itertools.product(*axes)]


def subset(points: Sequence[TrialParams], budget: int, seed: int
           ) -> list[TrialParams]:
  """As many of them as the budget has, in a random order.

  Args:
    points: to draw from.
    budget: how many; 0 for all.
    seed: the same draws the same.
  """
  count = min(budget or len(points), len(points))
  return random.Random(seed).sample(list(points), count)
