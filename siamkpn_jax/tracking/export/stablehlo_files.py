"""An export as StableHLO: the functional tracker, serialized by `jax.export`.

One file of each function, for any batch, runs on every platform.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from siamkpn_jax.core import geometry
from siamkpn_jax.models.correlation import correlate_shifted
from siamkpn_jax.models.head import Template
from siamkpn_jax.models.siamkpn import SiamKPN
from siamkpn_jax.tracking import functional
from siamkpn_jax.tracking.decode import (
    CandidateRule,
    DecodeConfig,
    Hyperparameters,
)
from siamkpn_jax.tracking.export.check import Errors, sample

PLATFORMS = ('cpu', 'cuda', 'tpu')

# Trees of plain containers, which a program without this package can make.
State = dict[str, Any]


def functions(model: SiamKPN, variables: Any,
              rule: CandidateRule) -> tuple[Any, Any]:
  """`functional.init` and `update` in float32, of plain containers."""
  model = model.clone(dtype='float32', remat=False)

  def template(crop: jax.Array, center: jax.Array, size: jax.Array) -> State:
    return _plain(functional.init(variables, crop, center, size, model=model))

  def update(state: State, crop: jax.Array, scale: jax.Array,
             frame_size: jax.Array, hyperparameters: dict[str, jax.Array]
             ) -> tuple[State, dict[str, jax.Array]]:
    after, found = functional.update(
        variables,
        functional.TrackerState(
            Template(state['kernels']), state['center'], state['size']),
        functional.SearchInput(crop, scale, frame_size),
        Hyperparameters(**hyperparameters), model=model, rule=rule)
    return _plain(after), {'score': found.score, 'heatmaps': found.heatmaps}

  return template, update


def _plain(state: functional.TrackerState) -> State:
  return {'kernels': state.template.kernels, 'center': state.center,
          'size': state.size}


def export(model: SiamKPN, variables: Any,
           config: DecodeConfig) -> dict[str, jax.export.Exported]:
  """'template' and 'update', see `functions`.

  Args:
    model: the network.
    variables: its weights, arrays of the host.
    config: how boxes are chosen.
  """
  # As a grouped convolution it has no batch of unknown size.
  template, update = functions(
      model.clone(correlate=correlate_shifted), variables, config.rule)
  (b,) = jax.export.symbolic_shape('batch')
  crop = lambda side: jax.ShapeDtypeStruct((b, side, side, 3), jnp.uint8)
  pair, number = (jax.ShapeDtypeStruct((b, *n), jnp.float32)
                  for n in ((2,), ()))
  one = (crop(geometry.TEMPLATE_SIZE), pair, pair)
  start = jax.export.export(jax.jit(template), platforms=PLATFORMS)(*one)
  state = jax.eval_shape(template, *one)
  step = jax.export.export(jax.jit(update), platforms=PLATFORMS)(
      state, crop(config.search_size), number, pair,
      {f.name: number for f in dataclasses.fields(Hyperparameters)})
  return {'template': start, 'update': step}


def write(folder: Path, model: SiamKPN, variables: Any, config: DecodeConfig,
          metadata: dict[str, Any]) -> None:
  """Writes template.stablehlo and update.stablehlo, see `jax.export`."""
  del metadata  # which is in a file of its own alone
  for name, program in export(model, variables, config).items():
    (folder / f'{name}.stablehlo').write_bytes(program.serialize())


def check(folder: Path, model: SiamKPN, variables: Any,
          config: DecodeConfig, precision: str) -> dict[str, float]:
  """The largest errors of what was written, on this host; see `Errors`."""
  del precision  # which is float32
  errors, given = Errors(), sample(config)
  template, update = (jax.export.deserialize(bytearray(
      (folder / f'{name}.stablehlo').read_bytes())).call
      for name in ('template', 'update'))
  first = given.first, given.center, given.size
  rest = (given.second, given.scale, given.frame_size, given.hyperparameters)
  start, step = functions(model, variables, config.rule)
  before = start(*first)
  errors.compare('kernels', template(*first), before)
  # From the same state: the rounding of two programs does not add up.
  (state, found), (wanted, seen) = update(before, *rest), step(before, *rest)
  for name in found:
    errors.compare(name, found[name], seen[name])
  for name in ('center', 'size'):
    errors.compare(name, state[name], wanted[name])
  return errors.found
