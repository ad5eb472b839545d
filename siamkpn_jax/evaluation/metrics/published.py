"""Published results: the numbers of the SiamKPN paper's tables.

Source: Li et al., "Siamese Keypoint Prediction Network for Visual Object
Tracking", arXiv 2006.04078, Tables 1 to 5; what stands there for other trackers
is what that paper says of them. Accuracy and robustness of SiamKPN with one and
two stages are from its repository. Numbers are kept as they are printed, as
0.30 says less than 0.300 does. The keys are those of score files.
"""

import dataclasses
from collections.abc import Mapping

# Tracker -> key -> number as printed.
Rows = Mapping[str, Mapping[str, str]]


def _rows(keys: str, text: str) -> Rows:
  """Of lines "name number number ..."; `-` stands for none."""
  return {
      name: {key: number for key, number in
             zip(keys.split(), numbers, strict=True) if number != '-'}
      for name, *numbers in map(str.split, text.strip().splitlines())}


@dataclasses.dataclass(frozen=True)
class Published:
  """The published results on a benchmark.

  Attributes:
    title: of the set of sequences that they are of.
    num_sequences: how many it has.
    source: where they stand.
    protocols: names of the rules whose scores may stand beside them.
    trackers: the results.
    remark: what keeps any score of ours from being compared; empty: nothing.
  """
  title: str
  num_sequences: int
  source: str
  protocols: tuple[str, ...]
  trackers: Rows
  remark: str = ''


# Tables 4 and 5. The speeds were taken on VOT2018, on a GTX 1080 Ti.
VARIANTS = _rows(
    'success_auc precision_20 eao accuracy robustness frames_per_second', '''
SiamKPN-1s                0.687 0.906 0.413 0.584 0.229 40
SiamKPN-2s                0.702 0.916 0.428 0.595 0.211 32
SiamKPN-3s                0.712 0.927 0.440 0.606 0.192 24
SiamKPN-3s-without-decay  0.705 0.916 -     -     -     -
''')

_VOT2018 = _rows('eao accuracy robustness', '''
SiamFC      0.188 0.50  0.59
SiamRPN+    0.30  0.52  0.41
DaSiamRPN   0.326 0.569 0.337
SPM         0.338 0.58  0.30
SiamMask    0.347 0.602 0.288
DRT         0.356 0.519 0.201
RCO         0.376 0.507 0.155
UPDT        0.378 0.536 0.184
SiamRPN     0.383 0.586 0.276
MFT         0.385 0.505 0.140
LADCF       0.389 0.503 0.159
ATOM        0.401 0.590 0.204
SiamRPN++   0.414 0.600 0.234
DiMP-50     0.440 0.597 0.153
SiamKPN-3s  0.440 0.606 0.192
''')

_LASOT = _rows('success_auc precision_20', '''
KCF         0.178 0.170
Staple      0.243 0.239
PTAV        0.250 0.245
TRACA       0.257 0.230
BACF        0.259 0.236
CFNet       0.275 0.263
STRCF       0.308 0.296
SINT        0.314 0.294
ECO         0.324 0.302
DSiam       0.333 0.318
StructSiam  0.335 0.326
SiamFC      0.336 0.331
VITAL       0.390 0.362
MDNet       0.397 0.370
C-RPN       0.455 0.425
SiamRPN++   0.496 0.467
ATOM        0.518 0.478
DiMP-50     0.564 0.534
SiamKPN-3s  0.498 0.489
''')

_GOT10K = _rows('sr50 sr75 ao', '''
MDNet       0.303 0.099 0.299
CF2         0.297 0.088 0.315
ECO         0.309 0.111 0.316
C-COT       0.328 0.107 0.325
GOTURN      0.375 0.124 0.347
SiamFC      0.353 0.098 0.348
SiamFCv2    0.404 0.144 0.374
SiamRPN++   0.615 0.329 0.517
ATOM        0.634 0.402 0.556
DiMP-50     0.717 0.492 0.611
SiamKPN-3s  0.606 0.362 0.529
''')

# Benchmark -> what is published on it. The paper does not name the toolkits
# that scored it. Comparable are the rules of those that are in use: on OTB they
# differ in few frames, on LaSOT frames without target have to count as lost, on
# VOT2018 the vot-toolkit has other regions, fragments and lengths for EAO.
PUBLISHED: Mapping[str, Published] = {
    'otb': Published(
        'OTB-100', 100, 'Tables 4 and 5 of the SiamKPN paper',
        ('otb', 'otb_got10k', 'pysot'), {
            name: {key: row[key] for key in ('success_auc', 'precision_20')}
            for name, row in VARIANTS.items()}),
    'vot2018': Published('VOT2018', 60, 'Table 1 of the SiamKPN paper',
                         ('vot2018_pysot',), _VOT2018),
    'lasot': Published("LaSOT's test set", 280, 'Table 2 of the SiamKPN paper',
                       ('lasot', 'pysot'), _LASOT),
    # The boxes of the test set are secret, so that ours is the other set.
    'got10k': Published(
        "GOT-10k's test set", 180, 'Table 3 of the SiamKPN paper', ('got10k',),
        _GOT10K, 'validation set, published results are on the test set'),
}
