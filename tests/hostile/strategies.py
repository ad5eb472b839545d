"""Hypothesis strategies: what is no name, no number, no file.

`like` makes a strategy of a valid example: the same form, with anything in it.
"""

from typing import Any

from hypothesis import strategies as st

from tests.hostile import content, damage
from tests.hostile.content import Arrays, Files, Lines, Tensors

NUMBERS = st.sampled_from(damage.NUMBERS) | st.integers(-9, 99) | st.floats()
NAMES = st.sampled_from(damage.NAMES) | st.text(max_size=9)
LEAVES = (NUMBERS | NAMES | st.none() | st.booleans() |
          st.sampled_from([content.HUGE, content.NESTED, content.SURROGATE,
                           content.DOUBLE]))
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) |
    st.dictionaries(NAMES, inner, max_size=3), max_leaves=6)
WORDS = (st.sampled_from(damage.WORDS) | NAMES |
         st.integers(-9, 999).map(str) | st.floats().map(repr))
LINES = st.lists(WORDS, max_size=6).flatmap(
    lambda words: st.sampled_from([',', ' ', '\t', ';', ', ', ':']).map(
        lambda comma: comma.join(words)))
TEXTS = st.lists(LINES, max_size=6).flatmap(
    lambda lines: st.sampled_from(['\n', '\r\n', '\n\n']).map(
        lambda end: end.join(lines) + end))
RANDOM = st.randoms(use_true_random=False)


def like(example: Any) -> st.SearchStrategy[Any]:
  """Content of the form of an example, often with something else in it."""
  if isinstance(example, bytes):
    return st.binary(max_size=64) | RANDOM.map(
        lambda random: damage.damaged(example, random))
  if isinstance(example, str):
    return TEXTS | RANDOM.map(lambda random: damage.damaged(example, random))
  if isinstance(example, Arrays | Tensors):
    return RANDOM.map(lambda random: damage.damaged(example, random))
  if isinstance(example, Lines):
    return st.lists(st.one_of(map(_value, example)), max_size=5).map(Lines)
  return _value(example)


def _value(example: Any) -> st.SearchStrategy[Any]:
  """A value of the form of an example, or another one, one time in eight."""
  return st.integers(0, 7).flatmap(
      lambda chance: VALUES if chance == 0 else _form(example))


def _form(example: Any) -> st.SearchStrategy[Any]:
  if isinstance(example, dict) and example:
    needed = {k: _value(v) for k, v in list(example.items())[1:]}
    first = next(iter(example))
    return st.fixed_dictionaries(needed, optional={
        first: _value(example[first]), **{'more': VALUES}})
  if isinstance(example, list) and example:
    return st.lists(st.one_of([_value(v) for v in example[:4]]), max_size=5)
  if isinstance(example, bool) or example is None:
    return st.booleans() | LEAVES
  if isinstance(example, int | float):
    return st.just(example) | NUMBERS
  return st.just(example) | NAMES


def files(valid: Files) -> st.SearchStrategy[dict[str, bytes]]:
  """The files of a reader: made from a form, or valid ones that are damaged."""
  made = st.tuples(
      NAMES, st.sampled_from(sorted(valid)).flatmap(
          lambda path: like(valid[path]).map(lambda new: {path: new}))).map(
              lambda drawn: damage.named({**valid, **drawn[1]}, drawn[0]))
  return made | RANDOM.map(lambda random: damage.damaged_files(valid, random))

