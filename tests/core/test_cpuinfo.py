"""What Linux tells of the processor."""

import pytest

from siamkpn_jax.core.cpuinfo import processor_field

TEXT = b"""processor\t: 0
model name\t: A processor: 3 GHz \xff
vmx flags\t: vnmi
flags\t\t: fpu sse
power management:

processor\t: 1
model name\t: another
flags\t\t: none
"""


@pytest.mark.parametrize(('names', 'want'), [
    (['flags'], 'fpu sse'),  # of the first processor, and not 'vmx flags'
    (['Features', 'flags'], 'fpu sse'),
    (['model name'], 'A processor: 3 GHz \N{REPLACEMENT CHARACTER}'),
    (['power management'], None),
    (['Features'], None),
    (['model.name'], None)])
def test_first_line_of_a_name(tmp_path, names, want):
  (tmp_path / 'cpuinfo').write_bytes(TEXT)
  assert processor_field(*names, path=tmp_path / 'cpuinfo') == want


def test_other_systems_have_none(tmp_path):
  assert processor_field('flags', path=tmp_path / 'none') is None
