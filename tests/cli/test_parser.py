"""How flags may be written, and what they refuse."""

import argparse

import pytest

from siamkpn_jax.cli import config_flags
from siamkpn_jax.cli.parser import (
  Parser,
  Switch,
  UsageError,
  names,
  real,
  whole,
)


@pytest.fixture
def parser():
  parser = Parser('x', 'About it.')
  parser.add_argument('--zero_based', type=names, default=())
  parser.add_argument('--resume', action=Switch, default=True)
  parser.add_argument('--box')
  parser.add_argument('--count', type=whole(1, 9))
  parser.add_argument('--share', type=real(0, 1))
  parser.add_argument('--kind', choices=['a', 'b'])
  parser.add_argument('--weights', action='append')
  return parser


@pytest.mark.parametrize(('argv', 'name', 'value'), [
    (['--zero_based=a, b_*'], 'zero_based', ('a', 'b_*')),
    (['--zero-based', 'a'], 'zero_based', ('a',)),
    (['--zero_based='], 'zero_based', ()),
    (['--box', '-5,-5,20,20'], 'box', '-5,-5,20,20'),
    (['--box', '--odd'], 'box', '--odd'),
    (['--box=a-b=c'], 'box', 'a-b=c'),
    (['--box='], 'box', ''),
    ([], 'resume', True),
    (['--noresume'], 'resume', False),
    (['--no-resume'], 'resume', False),
    (['--no_resume'], 'resume', False),
    (['--resume=False'], 'resume', False),
    (['--noresume=false'], 'resume', True),
    (['--noresume', '--resume'], 'resume', True),
    (['--count', '9'], 'count', 9),
    (['--share', '1e-3'], 'share', 0.001),
    (['--weights', 'a', '--weights=b'], 'weights', ['a', 'b'])])
def test_values(parser, argv, name, value):
  assert getattr(parser.parse_args(argv), name) == value


@pytest.mark.parametrize(('argv', 'message'), [
    (['--count=0'], "--count: expected a whole number, at least 1, at most 9, "
     "got '0'"),
    (['--count=10'], 'at most 9'), (['--count=1.5'], 'a whole number'),
    (['--share=nan'], 'expected a number'), (['--share=-1'], 'at least 0'),
    (['--kind=c'], "--kind: invalid choice: 'c'"),
    (['--resume=x'], '--resume: expected true or false'),
    (['--resume', 'x'], "unexpected argument 'x'"),
    (['--box', '--noresume'], '--box: expected a value, got the flag --nor'),
    (['--box', '--zero-based=a'], 'write --box=--zero-based=a if that'),
    (['--zero', 'a'], '--zero: unknown flag'), (['-b'], '-b: unknown flag')])
def test_refused(parser, argv, message):
  with pytest.raises(UsageError) as error:
    parser.parse_args(argv)
  assert message in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('kind', [whole(), whole(0), real(0)])
@pytest.mark.parametrize('text', ['nan', 'inf', '-inf', '1e400', '9' * 30,
                                  '-' + '9' * 5000])
def test_every_number_has_a_range(kind, text):
  with pytest.raises(argparse.ArgumentTypeError, match='expected a '):
    kind(text)


@pytest.mark.parametrize(('argv', 'right'), [
    (['v', '--box', '307', '112', '160', '250'], '307,112,160,250'),
    (['--box', '-5', '1.5', '9', '9', 'v'], '-5,1.5,9,9'),
    (['--box', '3,', '4,', '5,', '6', '--debug'], '3,4,5,6'),
    (['--box=3', '4', '5'], '3,4,5')])
def test_numbers_in_words_of_their_own(argv, right):
  with pytest.raises(UsageError, match=f'write --box {right}$'):
    _with_video().parse_args(argv)


def test_a_camera_after_a_box():
  args = _with_video().parse_args(['--box', '1,2,3,4', '0'])
  assert (args.box, args.video) == ('1,2,3,4', '0')


def _with_video():
  parser = Parser('x', '')
  parser.add_argument('video', nargs='?')
  parser.add_argument('--box', metavar='X,Y,W,H')
  return parser


@pytest.mark.parametrize(('argv', 'meant'), [
    (['a.pth'], '; did you mean --input a.pth?'),
    (['--output', 'o', 'a.pth'], '; did you mean --input a.pth?'),
    (['--input', 'b', 'a.pth'], ''), (['a.pth', '--input=b'], '')])
def test_an_input_without_its_flag(argv, meant):
  parser = Parser('x', '')
  parser.add_argument('--output', required=True)
  parser.add_argument('--input', required=True)
  with pytest.raises(UsageError) as error:
    parser.parse_args(argv)
  assert str(error.value) == (
      f"unexpected argument 'a.pth': expected only flags{meant}")


def test_required():
  parser = Parser('x', '')
  parser.add_argument('--input', required=True)
  with pytest.raises(UsageError, match='missing --input'):
    parser.parse_args([])


@pytest.mark.parametrize(('argv', 'left', 'overrides'), [
    (['--config.a.b=c=d', '--x'], ['--x'], ['a.b=c=d']),
    (['--config', 'f', '--config.a.b', '-1', 'y'], ['--config', 'f', 'y'],
     ['a.b=-1']),
    (['--config.a.b', '--x'], ['--x'], ['a.b']),
    (['--x', '--config.a.b'], ['--x'], ['a.b']),
    (['--noconfig.a.b'], [], ['!a.b'])])
def test_overrides(argv, left, overrides):
  assert config_flags.take_overrides(argv) == (left, overrides)
