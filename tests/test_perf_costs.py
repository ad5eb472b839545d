"""What perf/costs.py makes of a profiler's trace."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from perf import costs
from siamkpn_jax.core.errors import UserError


def line(name, *events):
  """Events as (name, start, end, stats), nanoseconds."""
  return SimpleNamespace(name=name, events=[
      SimpleNamespace(name=event, start_ns=start, duration_ns=end - start,
                      stats=stats.items())
      for event, start, end, stats in events])


def trace(**planes):
  return SimpleNamespace(planes=[
      SimpleNamespace(name=name.replace('_', ':', 1), lines=lines)
      for name, lines in planes.items()])


def op(name):
  return {'hlo_op': name}


def test_what_is_inside_counts_once():
  """A loop of 100 with bodies of 30 and 40, one of them with a call of 10."""
  events = [(0, 100, 'loop'), (10, 40, 'a'), (20, 30, 'b'), (50, 90, 'a'),
            (100, 105, 'c')]
  own = list(costs.own_times(reversed(events)))
  assert sorted(own) == [
      ('a', pytest.approx(20e-9)), ('a', pytest.approx(40e-9)),
      ('b', pytest.approx(10e-9)), ('c', pytest.approx(5e-9)),
      ('loop', pytest.approx(30e-9))]


def test_cpu_threads():
  """Operations of all threads; waiting and the host's own work are left out."""
  found = costs.list_costs(trace(**{'/host_CPU': [
      line('python', ('jit', 0, 500, {})),
      line('worker', ('wait', 0, 400, {}), ('x', 10, 40, op('dot.1'))),
      line('worker', ('x', 0, 20, op('dot.1')), ('y', 20, 90, op('add')))]}))
  assert [(c.name, c.count) for c in found] == [('add', 1), ('dot.1', 2)]
  assert [c.seconds for c in found] == pytest.approx([70e-9, 50e-9])


def test_gpu_streams():
  """Streams only: other lines of a GPU, and the host, tell the same again."""
  found = costs.list_costs(trace(**{
      '/host_CPU': [line('worker', ('x', 0, 20, op('dot.1')))],
      '/device_GPU:0': [
          line('XLA Ops', ('dot.1', 0, 60, op('dot.1'))),
          line('Stream #1(Compute)', ('gemm', 0, 50, op('dot.1')),
               ('MemcpyD2D', 50, 55, {})),
          line('Stream #2(Compute)', ('gemm', 5, 15, op('dot.1')))]}))
  assert [(c.name, c.count) for c in found] == [('dot.1', 2), ('MemcpyD2D', 1)]
  assert [c.seconds for c in found] == pytest.approx([60e-9, 5e-9])


def test_reads_what_jax_writes(tmp_path):
  """The one large operation leads the list, and its place is known."""
  @jax.jit
  def step(x):
    with jax.named_scope('the_product'):
      return jnp.sin(x @ x)
  x = jnp.ones((500, 500))
  compiled = step.lower(x).compile()
  with jax.profiler.trace(tmp_path):
    jax.block_until_ready(compiled(x))
  found = costs.list_costs(costs.read_newest(tmp_path))
  places = costs.find_places(compiled)
  assert any('the_product' in places.get(cost.name, '') for cost in found)
  assert all(cost.seconds >= 0 for cost in found)


def test_no_trace(tmp_path):
  with pytest.raises(UserError, match='no trace'):
    costs.read_newest(tmp_path)
