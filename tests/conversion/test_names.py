"""The table of names against SPEC 4 and the PyTorch reference."""

import pytest

from siamkpn_jax.conversion.names import (
    count_stages,
    counter_keys,
    find_levels,
    name_table,
    torch_key,
)
from siamkpn_jax.models.siamkpn import SiamKPN
from tests.optional import import_or_skip

LEVELS = ['layer2', 'layer3', 'layer4']


@pytest.mark.parametrize(('path', 'key'), [
    ('backbone/conv1/conv/kernel', 'backbone.conv1.weight'),
    ('backbone/conv1/bn/mean', 'backbone.bn1.running_mean'),
    ('backbone/layer3_5/conv3/bn/scale', 'backbone.layer3.5.bn3.weight'),
    ('backbone/layer2_0/downsample/conv/kernel',
     'backbone.layer2.0.downsample.0.weight'),
    ('backbone/layer2_0/downsample/bn/var',
     'backbone.layer2.0.downsample.1.running_var'),
    ('neck/layer4/conv/kernel', 'neck.downsample4.downsample.0.weight'),
    ('neck/layer2/bn/bias', 'neck.downsample2.downsample.1.bias'),
    ('head/layer2_heatmap_stage1/kernel_conv/conv/kernel',
     'kpn_head.kpn0.heatmap.z_conv1.conv.weight'),
    ('head/layer3_offsets_stage2/template_conv/bn/scale',
     'kpn_head.kpn1.offsets.z_conv2.bn.weight'),
    ('head/layer4_size_stage3/kernel_conv/conv/kernel',
     'kpn_head.kpn2.objsize.z_conv32.conv.weight'),
    ('head/layer4_size_stage3/search_conv/bn/var',
     'kpn_head.kpn2.objsize.x_conv3.bn.running_var'),
    ('head/layer2_heatmap_stage2/predict_conv/conv/kernel',
     'kpn_head.kpn0.heatmap.head2.0.conv.weight'),
    ('head/layer2_heatmap_stage2/predict_out/bias',
     'kpn_head.kpn0.heatmap.head2.1.bias'),
    ('head/size_weight', 'kpn_head.objsize_weight')])
def test_names_of_the_specification(path, key):
  assert torch_key(tuple(path.split('/')), LEVELS) == key


@pytest.mark.parametrize('arch', ['resnet18', 'resnet34', 'resnet50'])
@pytest.mark.parametrize('num_stages', [1, 2, 3])
def test_names_and_shapes_of_the_reference(arch, num_stages):
  """The same names and shapes, none twice, counters included."""
  import_or_skip('torch', 'the reference is in PyTorch')
  from tests.reference import torch_network
  settings = {'arch': arch, 'width': 2, 'channels': 4}
  expected = {
      name: tuple(value.shape) for name, value in torch_network.SiamKPN(
          num_stages, **settings).state_dict().items()}
  entries = name_table(SiamKPN(num_stages=num_stages, **settings))
  found = {entry.key: entry.shape for entry in entries}
  assert len(found) == len(entries)
  assert found | dict.fromkeys(counter_keys(entries), ()) == expected
  assert count_stages(found) == num_stages
  assert find_levels(found, LEVELS) == tuple(LEVELS)


def test_stray_names_do_not_count():
  """They are reported as unexpected, not taken for an architecture."""
  entries = name_table(SiamKPN(arch='resnet18', width=2, channels=4,
                               num_stages=2))
  names = [e.key for e in entries] + [
      'kpn_head.kpn0.heatmap.head9.0.conv.weight',
      'kpn_head.kpn0.offsets.head0.0.conv.weight',
      'neck.downsample5.downsample.0.weight', 'neck.downsample1.x']
  assert count_stages(names) == 2
  assert find_levels(names, LEVELS) == tuple(LEVELS)
