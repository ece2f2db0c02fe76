"""Grids: a gin parameter of a queue's line may have several values, NAME=A|B|C."""

import itertools
import re
from collections.abc import Iterator, Sequence

from pipelines.format.errors import LonghaulError

# A value ends at a bar, unless the bar stands in a text.
_VALUE = re.compile(r'(?:"[^"]*"|\'[^\']*\'|[^|"\'])+')


def grid(params: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All combinations of the parameters' values; those of the last parameter change fastest.

    Raises:
      LonghaulError: for a bar without a value on both of its sides, or a value given twice.
    """
    yield from itertools.product(*map(_values, params))


def _values(param: str) -> list[str]:
    name, _, text = param.partition('=')
    between = _VALUE.sub('', text)
    if '|' not in between:
        return [param]
    found = [value.strip() for value in _VALUE.findall(text)]
    # A quote that never closes stands between values too.
    if between != '|' * (len(found) - 1) or not all(found) or len(set(found)) < len(found):
        raise LonghaulError(f'{param!r}: different values with one bar between are needed, as A|B')
    return [f'{name}={value}' for value in found]
