"""What perf/operations.py takes the parts of a profile for."""

import pytest

from perf import operations


def test_kinds_of_hlo():
  products = '\n'.join(
      f'  %m.{k} = f32[2]{{0}} multiply(%p, %p)' for k in range(9))
  text = f'''HloModule jit_f
%taps (p: f32[2]) -> f32[2] {{
  %p = f32[2]{{0}} parameter(0)
{products}
  ROOT %pad.1 = f32[4]{{0}} pad(%m.8, %c), padding=1_1
}}

%padded (p: f32[2]) -> f32[4] {{
  %p = f32[2]{{0}} parameter(0)
  ROOT %pad.2 = f32[4]{{0}} pad(%p, %c), padding=1_1
}}

%sum (p: f32[2]) -> f32[2] {{
  ROOT %add.1 = f32[2]{{0}} add(%p, %p)
}}

ENTRY %main (x: f32[2,2]) -> f32[2] {{
  %dot.3 = f32[2,2]{{1,0}} dot(%x, %x), lhs_contracting_dims={{1}}
  %one = f32[2]{{0}} fusion(%x), kind=kLoop, calls=%taps
  %two = f32[4]{{0}} fusion(%x), kind=kLoop, calls=%padded
  ROOT %three = f32[2]{{0}} fusion(%x), kind=kLoop, calls=%sum
}}
'''
  assert operations.kinds_of_hlo(text) == {
      'dot.3': operations.PRODUCTS, 'one': operations.KERNELS,
      'two': operations.PADDING}


def test_kind_of_node():
  conv = lambda *kernel: operations.kind_of_node({
      'op_name': 'Conv', 'input_type_shape': [
          {'float': [1, 8, 9, 9]}, {'float': list(kernel)}]})
  assert conv(4, 8, 1, 1) == operations.PRODUCTS
  assert conv(8, 1, 5, 5) == operations.KERNELS
  kind = lambda name: operations.kind_of_node({'op_name': name})
  assert kind('MatMul') == operations.PRODUCTS
  assert kind('Split') == operations.OTHERS


def test_table():
  found = {'JAX': operations.with_rest(
      {operations.PRODUCTS: (2.0, 35.0), operations.PADDING: (0.25, 19.0)},
      2.5), 'ONNX Runtime': operations.with_rest({}, 1.0)}
  text = operations.table(found)
  assert f'| {operations.PRODUCTS} | 2.00 (35) | - |' in text
  assert f'| {operations.REST} | 0.25 | 1.00 |' in text


def test_runs_are_counted_from_the_events():
  """Those before the steps, too, such as a tracker's looks at its start."""
  events = [{'name': 'model_run', 'dur': 900, 'args': {}},
            {'name': 'a_kernel_time', 'dur': 500,
             'args': {'op_name': 'MatMul'}}] * 3
  assert operations.totals_of_events(events) == {
      operations.PRODUCTS: (pytest.approx(0.5), 1)}
