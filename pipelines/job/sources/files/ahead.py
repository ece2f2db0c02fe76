"""Reads that wait for a network, some ahead of their use."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Key, _Value = TypeVar('_Key'), TypeVar('_Value')


def look_ahead(
    read: Callable[[_Key], _Value], keys: Iterable[_Key], count: int
) -> Iterator[_Value]:
    """What `read` gives for each key, in order.

    Args:
      read: called in threads; what it raises is raised where its value would come.
      keys: to read.
      count: how many values may wait in memory; 0: each is read when it is asked for.
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
