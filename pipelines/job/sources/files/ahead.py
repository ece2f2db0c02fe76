"""Reads some values before they are needed, since a network makes reads wait."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Key = TypeVar('_Key')
_Value = TypeVar('_Value')


def look_ahead(
    read: Callable[[_Key], _Value], keys: Iterable[_Key], count: int
) -> Iterator[_Value]:
    """Yields `read(key)` for each key, in order.

    Args:
      read: called in threads. An error of `read` is raised in the place of its value.
      keys: arguments of `read`.
      count: the greatest number of values that wait in memory; 0: each is read when it is needed.
    """
    if count == 0:
        yield from map(read, keys)
        return
    rest = iter(keys)
    with ThreadPoolExecutor(count) as pool:
        waiting = deque(pool.submit(read, key) for key in itertools.islice(rest, count))
        while waiting:
            value = waiting.popleft().result()
            waiting.extend(pool.submit(read, key) for key in itertools.islice(rest, 1))
            yield value
