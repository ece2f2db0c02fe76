"""Items -> payloads -> values: the same for those who write documents and those who count them.

Payloads are read while others are decoded. What a worker holds at a time is bounded by the batches:
as many as it has threads and three more, each of at most 256 items, 4 MiB of payloads and 4 MiB of
values, or of one item that is larger; beside them one decoded image per thread, and the ids and
places of one shard's items.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from pipelines.format.histograms import histogram_of, levels_of
from pipelines.format.spec import SequenceSpec
from pipelines.format.trailing import tails
from pipelines.format.values import Sums, sums_of, sums_of_histogram
from pipelines.job.encoder import encode_batch
from pipelines.job.items import Hashed, Item, Payload, Rejected
from pipelines.job.labels import Labels
from pipelines.job.plan import Plan

_BATCH_ITEMS, _BATCH_BYTES = 256, 4 << 20


class Decoded(NamedTuple):
    """An item, its class number (-1 for none), and its values, see `encode_batch`.

    `values`: a `Rejected` if it cannot be used; all the rest then means nothing. `encoding`: of its
    payload.
    """

    hashed: Hashed
    label: int
    values: np.ndarray | Rejected
    encoding: str = ''


class Batch(NamedTuple):
    """Items in their order, and what the values of those that can be used add up to.

    `sums`: see `sums_of`; empty for documents. `histogram`: see `histogram_of`; None for floats,
    for characters without a vocabulary, and where no item can be used.
    """

    items: list[Decoded]
    sums: list[Sums]
    histogram: np.ndarray | None


_Read = tuple[Hashed, Payload | Rejected]


def in_order(hashed: list[Hashed]) -> list[Hashed]:
    """By hash of the id, which does not depend on how the items arrived."""
    return sorted(hashed, key=lambda h: (h.hash, h.item.id, h.item.group, str(h.item.place)))


def decoded(hashed: list[Hashed], plan: Plan, labels: Labels, threads: int = 1) -> Iterator[Batch]:
    """Reads and decodes items.

    Args:
      hashed: the items.
      plan: of the job.
      labels: numbers of the labels.
      threads: that decode; this one reads.

    Yields:
      Batches of them, in their order.
    """
    pool = ThreadPoolExecutor(threads, 'decode')
    waiting: deque[Future[Batch]] = deque()
    try:
        for batch in _batches(_read_payloads(hashed, plan), plan.spec):
            waiting.append(pool.submit(_decode, batch, plan.spec, labels))
            # One more than there are threads: none of them ever waits for this one.
            if len(waiting) > threads + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read_payloads(hashed: list[Hashed], plan: Plan) -> Iterator[_Read]:
    """Payloads in order; each group's by a reader of its own, so that a table is read once."""
    by_group: dict[str, list[Item]] = {}
    for h in hashed:
        by_group.setdefault(h.item.group, []).append(h.item)
    readers = {group: plan.source.read(group, items) for group, items in by_group.items()}
    for h in hashed:
        yield h, next(readers[h.item.group])


def _batches(read: Iterable[_Read], spec: SequenceSpec) -> Iterator[list[_Read]]:
    most, batch, size = _most_items(spec), [], 0
    for entry in read:
        own = _size(entry[1])
        if batch and (len(batch) == most or size + own > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += own
    if batch:
        yield batch


def _most_items(spec: SequenceSpec) -> int:
    steps = spec.fixed_length or spec.trailing_steps
    values = max(1, steps * spec.channels * np.dtype(spec.dtype).itemsize)
    return max(1, min(_BATCH_ITEMS, _BATCH_BYTES // values))


def _size(payload: Payload | Rejected) -> int:
    if isinstance(payload, Rejected):
        return 0
    return len(payload.data) if payload.pixels is None else payload.pixels.nbytes


def _decode(batch: list[_Read], spec: SequenceSpec, labels: Labels) -> Batch:
    numbers = [_label(h.item, payload, labels) for h, payload in batch]
    usable = [
        (h.hash, payload)
        for (h, payload), n in zip(batch, numbers, strict=True)
        if not isinstance(n, Rejected)
    ]
    found = _values(usable, spec)
    values = iter(found)
    items = [
        Decoded(h, -1, number)
        if isinstance(number, Rejected)
        else Decoded(h, number, next(values), payload.encoding)
        for (h, payload), number in zip(batch, numbers, strict=True)
    ]
    return Batch(items, *_count([v for v in found if not isinstance(v, Rejected)], spec))


def _count(values: list[np.ndarray], spec: SequenceSpec) -> tuple[list[Sums], np.ndarray | None]:
    """The sums and the histogram of what is written, see `Batch`."""
    levels = levels_of(spec)
    if not values or (levels is None and spec.tokens is not None):
        return [], None
    if levels is None:
        return sums_of(values), None
    histogram = histogram_of(values, levels)
    return [sums_of_histogram(histogram)] if spec.tokens is None else [], histogram


def _values(usable: list[tuple[int, Payload]], spec: SequenceSpec) -> list[np.ndarray | Rejected]:
    """Of (hash of the id, payload) pairs, the steps that are written."""
    found = encode_batch([payload for _, payload in usable], spec.without_trailing())
    # Characters that are still to be counted are those of the documents alone.
    counted = spec.tokens == 'characters' and spec.vocabulary is None
    if counted or not spec.trailing_steps:
        return found
    appended = tails(spec, np.array([hashed for hashed, _ in usable], np.uint64))
    return [
        values if isinstance(values, Rejected) else np.concatenate([values, tail])
        for values, tail in zip(found, appended, strict=True)
    ]


def _label(item: Item, payload: Payload | Rejected, labels: Labels) -> int | Rejected:
    """An item's class number, or why it need not be decoded."""
    if isinstance(payload, Rejected):
        return payload
    number = -1 if item.label is None else labels.numbers.get(item.label)
    if number is None:
        return Rejected('the label is none of the classes', item.label)
    return number
