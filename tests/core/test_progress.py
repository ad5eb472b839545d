"""Progress at a terminal, and in a log."""

import io
import sys

import pytest

from siamkpn_jax.core import progress


class Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.fixture
def clock(monkeypatch):
  """[seconds]: what time it is for the lines of a log."""
  now = [0.0]
  monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
  return now


def test_what_a_bar_waits_for(monkeypatch):
  """A log says it at once, a terminal beside the bar, a silent run not."""
  for stream, off, want in ((io.StringIO(), False, 'nano: compiling\n'),
                            (io.StringIO(), True, ''),
                            (Terminal(), False, 'compiling]')):
    monkeypatch.setattr(sys, 'stderr', stream)
    bar = progress.progress_bar(total=3, desc='nano', disable=off)
    progress.announce(bar, 'compiling')
    said = stream.getvalue()
    assert want in said if want else not said
    bar.close()


def test_a_log_gets_a_line_every_ten_seconds(monkeypatch, clock):
  """And the last; no carriage returns, whatever is shown beside the bar."""
  monkeypatch.setattr(sys, 'stderr', io.StringIO())
  with progress.progress_bar(total=100, unit='frame', mininterval=0) as bar:
    for step in range(100):
      clock[0] = step * 0.25
      bar.set_postfix_str(f'loss {step}')
      bar.update()
    bar.write('a line between', file=sys.stderr)
  text = sys.stderr.getvalue()
  lines = text.splitlines()
  assert '\r' not in text and '' not in lines
  assert [line.split('|')[0].strip() for line in lines] == [
      '40%', '80%', 'a line between', '100%']
  assert 'loss 99' in lines[-1] and '100/100' in lines[-1]


def test_a_terminal_gets_a_bar(monkeypatch):
  monkeypatch.setattr(sys, 'stderr', Terminal())
  with progress.progress_bar(total=3, mininterval=0) as bar:
    for _ in range(3):
      bar.update()
  assert sys.stderr.getvalue().count('\r') >= 3


def test_no_bar(monkeypatch):
  monkeypatch.setattr(sys, 'stderr', io.StringIO())
  with progress.progress_bar(total=3, disable=True) as bar:
    bar.update()
  assert sys.stderr.getvalue() == ''


@pytest.mark.parametrize(('kind', 'text'), [
    (io.StringIO, 'news\n'), (Terminal, '\nnews\n')])
def test_say(monkeypatch, kind, text):
  """Below a bar or ^C; a log needs no empty line."""
  monkeypatch.setattr(sys, 'stderr', kind())
  progress.say('news')
  assert sys.stderr.getvalue() == text
