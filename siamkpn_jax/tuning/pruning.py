"""When a setting may be given up before it has seen all sequences.

A score that is a mean over sequences is a sum of shares: sequence s adds
share_s * value_s, values are 0..1 and the shares sum to 1. The sequences are
visited in a random order that is the same for all settings. Two rules:

`never_best` is a proof: with all remaining values 1, the setting would still be
  below what another one has already, all its remaining values 0. It never drops
  the best, and can drop little before half of the sequences.
`clearly_worse` is statistics: what two settings differ by, sequence by
  sequence, is a random sample without replacement of the differences on all
  sequences, so the mean of those seen estimates the final difference, with
  standard error sd * sqrt((1 - n / N) / n). A setting is dropped when it is
  behind by more than z standard errors. Pairing takes out what is common: how
  hard a sequence is. z is widened to Student's t for the few sequences seen.

The second is no proof. The one compared with is the best so far of many, which
flatters it, and there is a look after every sequence; so z = 3 errs more often
than the 0.1 % of a single test. What it loses is small: settings that are about
as good. Successive halving was not taken, as it drops a fixed part at fixed
times even where all are equally good, and keeps half where all but one are bad.
"""

import math

import numpy as np

_FEWEST = 5  # sequences from which a spread can be told
_ROUNDING = 1e-9


def minimum(sequences: int) -> int:
  """Sequences to see before `clearly_worse` is asked: a fifth, 5 at least."""
  return max(_FEWEST, math.ceil(0.2 * sequences))


def never_best(values: np.ndarray, shares: np.ndarray,
               floor: float = 0.0) -> np.ndarray:
  """Settings that cannot become the best, whatever is still to come.

  Args:
    values: [c, n] 0..1 of the settings on the sequences seen.
    shares: [n] of these sequences in the score.
    floor: the best score of settings that have seen all sequences.

  Returns:
    [c] bool.
  """
  lower = values @ shares
  upper = lower + max(0.0, 1.0 - float(shares.sum()))
  return upper < max(float(lower.max()), floor) - _ROUNDING


def clearly_worse(values: np.ndarray, leader: np.ndarray, shares: np.ndarray,
                  total: int, z: float) -> np.ndarray:
  """Settings that are behind by more than chance explains.

  Args:
    values: [c, n] of the settings on the sequences seen.
    leader: [n] of the one that they are compared with.
    shares: [n] of these sequences in the score.
    total: number of all sequences.
    z: standard errors, above 0.

  Returns:
    [c] bool; none where n < 2.
  """
  seen = len(shares)
  if seen < 2:
    return np.zeros(len(values), bool)
  behind = (leader - values) * shares * total  # their mean is the difference
  error = behind.std(axis=1, ddof=1) * math.sqrt((1 - seen / total) / seen)
  return behind.mean(axis=1) > student(z, seen - 1) * error + _ROUNDING


def student(z: float, freedom: int) -> float:
  """Student's t that is as rare as a normal deviate z.

  Within 3 % from 4 degrees of freedom on, and towards caution there.

  Source: the approximation of Wallace, "Bounds on normal approximations to
  Student's and the chi-square distributions", Ann. Math. Statist. 30 (1959).
  """
  normal = z * (8 * freedom + 3) / (8 * freedom + 1)
  exponent = normal * normal / freedom
  return math.sqrt(freedom * math.expm1(exponent)) if exponent < 700 else (
      math.inf)
