"""The rules by which one-pass results are scored, each with a name.

One tracker gets different scores from different toolkits: they differ in the
frames that count, in what a broken box is, in the first frame. A `OnePass`
states one toolkit's answers; `ope.score_sequence` follows them. In all of them

- an overlap is a success if it is greater (>) than the threshold, a distance is
  precise if it is at most (<=) the threshold;
- the center is x + (w - 1) / 2, boxes are not clipped to the image, and right
  minus left is the width;
- the first frame counts;
- the normalized distance divides x and y by the annotated width and height;
- a sequence's curve is the share of all its frames, the benchmark's curve the
  mean over sequences, the AUC the mean over the curve's thresholds.

GOT-10k's average overlap is in got10k.py; VOT's rules have their own files.
"""

import dataclasses
from typing import Literal

import numpy as np

# The shortest decimal fractions 0, 0.05 ... 1, and those that np.arange and
# np.linspace give: 0.15000000000000002, 0.30000000000000004 ... A frame whose
# overlap is exactly 0.3 is a success at one and not at the other.
_DECIMAL = tuple(i / 20 for i in range(21))
_STEPS = tuple((np.arange(21) * 0.05).tolist())


@dataclasses.dataclass(frozen=True)
class OnePass:
  """How a toolkit scores the boxes of a one-pass run.

  Numbers of boxes are compared with 0 as they are in the files, so that a box
  at x = 0 is treated differently where files count pixels from 1 or from 0.

  Attributes:
    name: what it is called here.
    source: the program that it equals.
    overlap_thresholds: of the success curve.
    first_box: whose box counts in the first frame, the result's or the
      annotation's (overlap 1, distance 0).
    broken_box: what a box of the result is that has NaN or a side <= 0: a frame
      that is lost (with a side <= 0 only its overlap), or the box of the frame
      before. 'previous_unless_part_nan': one with some numbers NaN, and the
      others fine, stays and is lost.
    overlap_needs: numbers of the annotation that must be > 0; else the frame's
      overlap is lost, and the frame counts.
    distance_needs: the same for the two distances; else the frame is within
      every distance.
    nan_annotation: frames whose annotation has NaN count, or are left out.
    absence: frames in which the target is marked as absent are as any other, or
      are lost.
    short: a result with fewer boxes than the annotation is refused, or scored
      on the frames that it has.
    long: one with more is refused, or cut.
  """
  name: str
  source: str
  overlap_thresholds: tuple[float, ...] = _STEPS
  first_box: Literal['result', 'annotation'] = 'result'
  broken_box: Literal['lost', 'previous', 'previous_unless_part_nan'] = 'lost'
  overlap_needs: Literal['nothing', 'sides', 'all'] = 'nothing'
  distance_needs: Literal['nothing', 'center', 'all'] = 'nothing'
  nan_annotation: Literal['counted', 'left_out'] = 'counted'
  absence: Literal['ignored', 'lost'] = 'ignored'
  short: Literal['refused', 'scored'] = 'refused'
  long: Literal['refused', 'cut'] = 'refused'


# Source: Wu, Lim, Yang, "Object Tracking Benchmark", TPAMI 2015: their MATLAB
# toolkit 1.0 (calcSeqErrRobust, genPerfMat, perfPlot). Thresholds and short
# files are those of their Python toolkit, as their published scores follow it:
# MATLAB's 0:0.05:1 differs in the last bit of 0.15, 0.3, 0.35 and 0.65, and it
# stops at a short file.
OTB = OnePass(
    'otb', "the OTB authors' toolkit", overlap_thresholds=_DECIMAL,
    first_box='annotation', broken_box='previous_unless_part_nan',
    overlap_needs='all', distance_needs='all', short='scored')

# Source: github.com/got-10k/toolkit, ExperimentOTB (the same in ExperimentNfS).
OTB_GOT10K = OnePass(
    'otb_got10k', "the GOT-10k toolkit's OTB experiment",
    first_box='annotation')

# Source: github.com/got-10k/toolkit, ExperimentUAV123.
UAV123_GOT10K = dataclasses.replace(
    OTB_GOT10K, name='uav123_got10k',
    source="the GOT-10k toolkit's UAV123 experiment",
    nan_annotation='left_out')

# Source: github.com/STVIR/pysot, toolkit.evaluation.OPEBenchmark.
PYSOT = OnePass(
    'pysot', "pysot's OPEBenchmark", overlap_needs='sides',
    distance_needs='center', absence='lost')

# Source: github.com/HengLan/LaSOT_Evaluation_Toolkit. Its thresholds are
# MATLAB's 0:0.05:1, which counts from both ends.
LASOT = OnePass(
    'lasot', "the LaSOT authors' toolkit",
    overlap_thresholds=(*_STEPS[:10], 0.5,
                        *(1 - step for step in _STEPS[9::-1])),
    first_box='annotation', broken_box='previous', overlap_needs='all',
    distance_needs='all', absence='lost', long='cut')

ONE_PASS = {p.name: p for p in (OTB, OTB_GOT10K, UAV123_GOT10K, PYSOT, LASOT)}
