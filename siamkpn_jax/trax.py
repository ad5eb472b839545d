"""A TraX server, which the vot-toolkit starts and drives.

  python -m siamkpn_jax.trax --weights CHECKPOINT \
    --trackers_ini trackers.ini --label siamkpn

makes it known to the toolkit and ends; docs/vot.md goes on from there. Without
--trackers_ini it tracks for the client at its standard input and output.
"""

from collections.abc import Sequence

from absl import flags

from siamkpn_jax import cli
from siamkpn_jax.checkpoints.packaged import find_weights
from siamkpn_jax.core.atomic_io import check_output
from siamkpn_jax.core.errors import UserError
from siamkpn_jax.evaluation.trax import server, trackers_ini

_WEIGHTS = flags.DEFINE_string(
    'weights', None, 'Checkpoint or .safetensors file of the tracker, or the '
    'name of a packaged model.')
_TRACKING = flags.DEFINE_string(
    'tracking', '', "Other settings than the checkpoint's: penalty_k=0.1,... "
    '(docs/tracking.md).')
_TRACKERS_INI = flags.DEFINE_string(
    'trackers_ini', None, "Do not track: write the tracker's entry to this "
    'file of the vot-toolkit, whose other entries stay.')
_LABEL = flags.DEFINE_string(
    'label', 'siamkpn', 'The name of the tracker in the toolkit.')


def main(argv: Sequence[str]) -> None:
  """Tracks or writes the entry, as the flags say."""
  del argv
  if not _WEIGHTS.value:
    raise UserError('--weights must not be empty')
  weights = find_weights(_WEIGHTS.value)
  registry = check_output(_TRACKERS_INI.value, '--trackers_ini',
                          suffixes=('.ini',))
  if registry:
    trackers_ini.check_label(_LABEL.value)
  with server.stdout_kept() as opened:
    server.import_trax()
    # Late: a mistake above shows before the slow imports of the model.
    from siamkpn_jax.tracking.tracker import load_tracker
    tracker = load_tracker(weights, _TRACKING.value)
    if not registry:
      # Before the client is greeted: it measures the time from there.
      server.warm_up(tracker)
      server.serve(tracker, opened)
      return
  trackers_ini.write_entry(registry, _LABEL.value, weights, _TRACKING.value)
  print(f'wrote {registry}\ntest it: vot test {_LABEL.value}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['weights'])
  cli.run(main)
