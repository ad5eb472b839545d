"""What programs wrap around a state dict: dicts, and prefixes of its names."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from siamkpn_jax.core.errors import UserError

# Keys under which a state dict lies in a checkpoint, the likeliest first.
KEYS = ('state_dict', 'model_state_dict', 'model', 'net', 'network', 'weights')
# Of data-parallel training, torch.compile, and modules around the network.
_PREFIXES = ('module.', '_orig_mod.', '_forward_module.',
             '_fsdp_wrapped_module.', 'model.', 'net.', 'network.')
_WRAPPED = re.compile(f'(?:{"|".join(map(re.escape, _PREFIXES))})+')
_DEPTH = 4  # of dicts in one another
_SEVERAL = 8  # names shown


def unwrap(content: Any, is_array: Any) -> tuple[dict[str, Any], str]:
  """The state dict in what a file holds.

  Returns:
    {name: array}, and the keys it was under, joined by dots; '' for none.

  Raises:
    UserError: there is none.
  """
  under: list[str] = []
  for _ in range(_DEPTH):
    if not isinstance(content, Mapping):
      break
    key = next((key for key in KEYS
                if isinstance(content.get(key), Mapping)), None)
    if key is None and not any(map(is_array, content.values())):
      key = _only_key(content, is_array)
    if key is None:
      state = {name: value for name, value in content.items()
               if isinstance(name, str) and is_array(value)}
      if state:
        return state, '.'.join(under)
      break
    under.append(key)
    content = content[key]
  if not isinstance(content, Mapping):
    raise UserError(f'holds a {type(content).__name__}; expected {_expected()}')
  # Keys may be anything, such as tuples without end.
  names = [name[:40] for name in content if isinstance(name, str)]
  raise UserError(f'holds no arrays under {", ".join(names[:_SEVERAL])}; '
                  f'expected {_expected()}')


def _only_key(content: Mapping[Any, Any], is_array: Any) -> str | None:
  """The key, of any name, under which alone there are arrays by name."""
  keys = [key for key, value in content.items()
          if isinstance(key, str) and isinstance(value, Mapping) and any(
              isinstance(name, str) and is_array(array)
              for name, array in value.items())]
  return keys[0] if len(keys) == 1 else None


def _expected() -> str:
  keys = ', '.join(map(repr, KEYS))
  return f'a state dict, or a dict with one under {keys}'


def strip_prefixes(names: Collection[str]) -> tuple[dict[str, str], list[str]]:
  """{name: shorter} without what wraps the names, and the prefixes found.

  Raises:
    UserError: two names would become one.
  """
  short = {name: name.removeprefix(_prefix(name)) for name in names}
  seen: dict[str, str] = {}
  for name, rest in short.items():
    other = seen.setdefault(rest, name)
    if other != name:
      raise UserError(f'{rest} occurs with and without '
                      f"'{_prefix(name) or _prefix(other)}'; expected only "
                      'one: save the weights again')
  return short, [*dict.fromkeys(filter(None, map(_prefix, names)))]


def _prefix(name: str) -> str:
  match = _WRAPPED.match(name)
  return match[0] if match else ''
