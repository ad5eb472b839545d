"""The flags that name a tracker: its weights, how it is set."""

from siamkpn_jax.checkpoints.packaged import DEFAULT
from siamkpn_jax.cli.parser import Parser


def add_weights_argument(parser: Parser, *, required: bool = False) -> None:
  """Declares --weights."""
  parser.add_argument(
      '--weights', required=required,
      help='Checkpoint or .safetensors file of the tracker, or the name of a '
      'packaged model' + ('.' if required else f'; default: {DEFAULT}.'))


def add_tracking_argument(parser: Parser) -> None:
  """Declares --tracking."""
  parser.add_argument(
      '--tracking', default='',
      help="Override the checkpoint's tracking hyperparameters: "
      'penalty_k=0.1,... (docs/tracking.md).')
