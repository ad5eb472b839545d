"""State dict to variables and back; all problems at once."""

import numpy as np
import pytest

from siamkpn_jax.conversion.variables import to_state, to_variables
from siamkpn_jax.core.errors import UserError
from tests.conversion import small

NAME = 'kpn_head.kpn1.objsize.x_conv2.conv.weight'


def test_there_and_back():
  """Bit for bit; the counters start anew."""
  state = small.state()
  variables, mapped = to_variables(state, small.table())
  back, again = to_state(variables, small.table())
  counters = {name for name in state if name.endswith('num_batches_tracked')}
  small.assert_same({n: v for n, v in back.items() if n not in counters},
                    {n: v for n, v in state.items() if n not in counters})
  assert all(back[n] == 0 and back[n].dtype == np.int64 for n in counters)
  assert set(mapped.ignored) == counters
  assert mapped.tensors == again.tensors == len(state) - len(counters)
  assert mapped.parameters + mapped.statistics == sum(
      v.size for n, v in state.items() if n not in counters)


def test_kernels_are_transposed():
  state = small.state()
  variables, _ = to_variables(state, small.table())
  kernel = variables['params']['backbone']['conv1']['conv']['kernel']
  assert kernel[2, 5, 1, 3] == state['backbone.conv1.weight'][3, 1, 2, 5]


def test_counters_may_be_missing():
  """As in files of PyTorch before 0.4.1."""
  state = {n: v for n, v in small.state().items() if 'num_batches' not in n}
  assert not to_variables(state, small.table())[1].ignored


def test_every_problem_is_reported():
  state = small.state()
  del state['backbone.conv1.weight'], state['kpn_head.heatmap_weight']
  state['backbone.fc.weight'] = np.zeros((3, 2), np.float32)
  state[NAME] = state[NAME].transpose(2, 3, 0, 1)
  state['backbone.bn1.bias'][:2] = [np.nan, np.inf]
  state['backbone.bn1.running_var'][1] = -0.5
  state['neck.downsample2.downsample.1.bias'] = np.zeros(8, np.int32)
  with pytest.raises(UserError) as caught:
    to_variables(state, small.table())
  assert str(caught.value).splitlines() == [
      '7 problems:',
      '  backbone.bn1.bias: 2 numbers are not finite',
      '  backbone.bn1.running_var: a variance of -0.5, expected none below 0',
      '  backbone.conv1.weight: missing, expected shape (4, 3, 7, 7)',
      '  backbone.fc.weight: unexpected, of shape (3, 2)',
      '  kpn_head.heatmap_weight: missing, expected shape (3,)',
      f'  {NAME}: shape (3, 3, 8, 8), expected (8, 8, 3, 3)',
      '  neck.downsample2.downsample.1.bias: int32, expected floats']
