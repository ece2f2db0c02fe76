"""Counts what a job has done: in Beam's metrics, and for the progress line of this process.

Beam's counters, in the namespace `longhaul`: `listed` (items found), `read` (items whose payload a
shard's writer has read), `written` (examples), `rejected`, one counter for each reason
(`rejected_the_file_is_empty`), `steps` and `bytes` (of the records written). Their distribution
`length` has the least, the greatest and the mean number of steps.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable

from apache_beam.metrics import Metrics

NAMESPACE = 'longhaul'
# Counts of this process alone. `Progress` shows them if the workers run in this process.
HERE: Counter[str] = Counter()
_LOCK = threading.Lock()


# Of a forked process, which Beam does not see: where its counts go. None anywhere else.
_SEND: Callable[[str, int, list[int]], None] | None = None


def send_to(send: Callable[[str, int, list[int]], None]) -> None:
    """Lets this process count by the arguments of `add`, which its parent calls."""
    global _SEND
    _SEND = send


def add(name: str, number: int, lengths: list[int]) -> None:
    """Counts what a forked process has counted: a counter's number, or lengths."""
    count(name, number)
    count_lengths(lengths)


def count(name: str, number: int) -> None:
    """Adds to a counter, here and in Beam. Call it only from the thread that runs a DoFn."""
    if number and _SEND is not None:
        _SEND(name, number, [])
    elif number:
        Metrics.counter(NAMESPACE, name).inc(number)
        with _LOCK:
            HERE[name] += number


def count_rejected(reasons: Iterable[str]) -> None:
    """Counts rejected items, by the reason of each."""
    for reason, number in Counter(reasons).items():
        count('rejected', number)
        count(f'rejected_{counter_name(reason)}', number)


def count_lengths(lengths: list[int]) -> None:
    """Adds the numbers of steps of examples to their distribution."""
    if _SEND is not None:
        _SEND('', 0, lengths)
        return
    distribution = Metrics.distribution(NAMESPACE, 'length')
    for length in lengths:
        distribution.update(length)


def counter_name(reason: str) -> str:
    """The name of a reason's counter: small letters, digits and underscores."""
    return re.sub('[^a-z0-9]+', '_', reason.lower()).strip('_')
