"""What a program must know to use an export."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import siamkpn_jax
from siamkpn_jax.config.settings import Config, to_plain
from siamkpn_jax.core import geometry
from siamkpn_jax.tracking.choice import (
    MIN_SIDE,
    DecodeConfig,
    Hyperparameters,
)

_SIZE = 'float32 [batch, 2]: width and height of the last box, frame pixels'
_CROP = 'uint8 [batch, {0}, {0}, 3]: BGR, 0..255, as OpenCV reads it'
_SCALE = 'float32 [batch]: crop pixels per frame pixel'
_NUMBERS = {field.name: 'float32 [batch]: see "hyperparameters"'
            for field in dataclasses.fields(Hyperparameters)}
_SCORE = 'float32 [batch]: 0..1; above "threshold" the target is found'


def signatures(format: str, search_size: int) -> dict[str, Any]:
  """Program -> inputs and outputs, of 'onnx' or 'stablehlo'."""
  template, search = map(_CROP.format, (geometry.TEMPLATE_SIZE, search_size))
  n = geometry.map_size(search_size)
  if format == 'onnx':
    return {
        'template': {
            'inputs': {'crop': template},
            'outputs': {'kernels': 'float32 [batch, n, 5, 5]: for update'}},
        'update': {
            'inputs': {
                'crop': search, 'kernels': 'float32 [batch, n, 5, 5]',
                'size': _SIZE, 'scale': _SCALE, **_NUMBERS},
            'outputs': {
                'heatmap': f'float32 [batch, 1, {n}, {n}]: logits',
                'offsets': f'float32 [batch, 2, {n}, {n}]: x, y from the cell '
                           'to the center, in "offset_unit"',
                'size_map': f'float32 [batch, 2, {n}, {n}]: width, height, '
                            'crop pixels',
                'shift': 'float32 [batch, 2]: x, y to add to the center, frame '
                         'pixels',
                'new_size': 'float32 [batch, 2]: width, height, frame pixels',
                'score': _SCORE}}}
  return {
      'template': {
          'inputs': {
              'crop': template,
              'center': 'float32 [batch, 2]: x, y of the box, frame pixels',
              'size': _SIZE},
          'outputs': {'state': '{kernels, center, size}'}},
      'update': {
          'inputs': {
              'state': '{kernels, center, size}', 'crop': search,
              'scale': _SCALE,
              'frame_size': 'float32 [batch, 2]: width, height, pixels',
              'hyperparameters': dict(_NUMBERS)},
          'outputs': {
              'state': '{kernels, center, size}',
              'found': {'score': _SCORE, 'heatmaps':
                        f'float32 [batch, 1, {n}, {n}]: 0..1'}}}}


_CROP_RULE = (
    'With p = (w + h) / 2 the side of a box is sqrt((w + p) (h + p)), and '
    'scale is template_size / side. The template crop is the square of that '
    'side around the center, resized to template_size; the search crop the '
    'square of search_size / scale, resized to search_size. A square has n = '
    'max(1, round(side)) pixels per side and starts at floor(c - (n + 1) / 2 '
    '+ 0.5) in x and y; pixels outside the frame have the mean color of the '
    'first frame, truncated; resizing is bilinear. The first center of a box '
    'x, y, w, h is x + (w - 1) / 2, y + (h - 1) / 2. After an update the '
    'center is clipped to 0..frame, the size to min_side..frame; the box '
    'starts at center - size / 2. Where box_correction is not 0, boxes are '
    'corrected as docs/export.md says.')


def describe(format: str, config: Config, decode: DecodeConfig,
             origin: Mapping[str, str], precision: str = 'float32',
             batch: str = 'any') -> dict[str, Any]:
  """The content of metadata.json.

  Args:
    format: 'onnx' or 'stablehlo'.
    config: of the network.
    decode: how it chooses boxes.
    origin: what is known of the weights.
    precision: one of `formats.PRECISIONS`.
    batch: one of `formats.BATCHES`.
  """
  programs = signatures(format, decode.search_size)
  if batch != 'any':
    programs = json.loads(json.dumps(programs).replace('[batch', f'[{batch}'))
  return {
      'format': f'siamkpn_jax {format}',
      'version': siamkpn_jax.__version__,
      'template_size': geometry.TEMPLATE_SIZE,
      'search_size': decode.search_size,
      'box_correction': decode.box_correction,
      'crop_rule': _CROP_RULE,
      'min_side': MIN_SIDE,
      'hyperparameters': dataclasses.asdict(decode.hyperparameters),
      'candidates': dataclasses.asdict(decode.rule),
      'offset_unit': decode.offset_unit,
      'programs': programs,
      'config': to_plain(config),
      'origin': dict(origin),
      'precision': precision,
      'batch': batch}
