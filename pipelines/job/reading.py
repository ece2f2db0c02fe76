"""Items -> payloads -> values, in batches, to write shards or to count characters.

Payloads are read while other payloads are decoded. A worker holds as many batches as it has
threads, and three more. A batch has at most 256 items, 4 MiB of payloads and 4 MiB of values, or
one item that is larger. Beside the batches, a worker holds a decoded image for each thread, and the
items of a shard.
"""

import itertools
import operator
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from pipelines.format.histograms import histogram_of, levels_of
from pipelines.format.spec import SequenceSpec
from pipelines.format.trailing import tails
from pipelines.format.values import Sums, sums_of, sums_of_histogram
from pipelines.job.encoder import encode_batch, needs_tensorflow
from pipelines.job.items import Hashed, Item, Payload, Rejected
from pipelines.job.labels import Labels
from pipelines.job.plan import Plan

_BATCH_ITEMS, _BATCH_BYTES = 256, 4 << 20


class Decoded(NamedTuple):
    """A usable item.

    `label`: the number of its class; -1 for none. `values`: its steps, see `encode_batch`.
    `encoding`: of its payload.
    """

    hashed: Hashed
    label: int
    values: np.ndarray
    encoding: str


class Unusable(NamedTuple):
    """An item that cannot be used, and why."""

    hashed: Hashed
    verdict: Rejected


class Batch(NamedTuple):
    """Items in their order, and counts of the values of usable items.

    `sums`: see `sums_of`; empty for documents. `histogram`: see `histogram_of`; None for floats,
    for characters without a vocabulary, and if no item is usable.
    """

    items: list[Decoded | Unusable]
    sums: list[Sums]
    histogram: np.ndarray | None


_Read = tuple[Hashed, Payload | Rejected]


def in_order(hashed: list[Hashed]) -> list[Hashed]:
    """Items in the order of their shard, by hash of the id, in whatever order they arrive."""
    ordered = sorted(hashed, key=operator.itemgetter(0))
    if all(a[0] != b[0] for a, b in itertools.pairwise(ordered)):
        return ordered
    return sorted(hashed, key=lambda h: (h.hash, h.item.id, h.item.group, str(h.item.place)))


def decoded(hashed: list[Hashed], plan: Plan, labels: Labels, threads: int = 1) -> Iterator[Batch]:
    """Reads and decodes items.

    Args:
      hashed: the items.
      plan: of the job.
      labels: the classes, and the numbers of labels.
      threads: number of threads that decode; the calling thread reads.

    Yields:
      Batches of the items, in their order.
    """
    batches = _batches(_read_payloads(hashed, plan), plan.spec)
    if not needs_tensorflow(plan.spec):
        # Python decodes, in one thread at a time.
        yield from (_decode(batch, plan.spec, labels) for batch in batches)
        return
    pool = ThreadPoolExecutor(threads, 'decode')
    waiting: deque[Future[Batch]] = deque()
    try:
        for batch in batches:
            waiting.append(pool.submit(_decode, batch, plan.spec, labels))
            # One batch more than threads, so that no thread ever waits for the reading thread.
            if len(waiting) > threads + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read_payloads(hashed: list[Hashed], plan: Plan) -> Iterator[_Read]:
    """The payloads in order. Each group has one reader, so that a table is read once."""
    by_group: dict[str, list[Item]] = {}
    for h in hashed:
        by_group.setdefault(h.item.group, []).append(h.item)
    readers = {group: plan.source.read(group, items) for group, items in by_group.items()}
    for h in hashed:
        yield h, next(readers[h.item.group])


def _batches(read: Iterable[_Read], spec: SequenceSpec) -> Iterator[list[_Read]]:
    most, size = _most_items(spec), 0
    batch: list[_Read] = []
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
    content = payload.content
    return len(content) if isinstance(content, bytes) else content.nbytes


def _decode(batch: list[_Read], spec: SequenceSpec, labels: Labels) -> Batch:
    labelled = [(h, _labelled(h.item, payload, labels)) for h, payload in batch]
    usable = [(h.hash, own[1]) for h, own in labelled if not isinstance(own, Rejected)]
    found = _values(usable, spec)
    values = iter(found)
    items = [_judged(h, own, values) for h, own in labelled]
    return Batch(items, *_count([v for v in found if not isinstance(v, Rejected)], spec))


def _judged(
    hashed: Hashed,
    labelled: tuple[int, Payload] | Rejected,
    values: Iterator[np.ndarray | Rejected],
) -> Decoded | Unusable:
    """An item with the next values, unless it needs none."""
    if isinstance(labelled, Rejected):
        return Unusable(hashed, labelled)
    (label, payload), own = labelled, next(values)
    if isinstance(own, Rejected):
        return Unusable(hashed, own)
    return Decoded(hashed, label, own, payload.encoding)


def _count(values: list[np.ndarray], spec: SequenceSpec) -> tuple[list[Sums], np.ndarray | None]:
    """(sums, histogram) of written values, see `Batch`."""
    levels = levels_of(spec)
    if not values or (levels is None and spec.tokens is not None):
        return [], None
    if levels is None:
        return sums_of(values), None
    histogram = histogram_of(values, levels)
    return [sums_of_histogram(histogram)] if spec.tokens is None else [], histogram


def _values(usable: list[tuple[int, Payload]], spec: SequenceSpec) -> list[np.ndarray | Rejected]:
    """(hash of the id, payload) pairs -> the steps that are written."""
    found = encode_batch([payload for _, payload in usable], spec.without_trailing())
    # While characters are counted, trailing steps do not count.
    counted = spec.tokens == 'characters' and spec.vocabulary is None
    if counted or not spec.trailing_steps:
        return found
    appended = tails(spec, np.array([hashed for hashed, _ in usable], np.uint64))
    return [
        values if isinstance(values, Rejected) else np.concatenate([values, tail])
        for values, tail in zip(found, appended, strict=True)
    ]


def _labelled(
    item: Item, payload: Payload | Rejected, labels: Labels
) -> tuple[int, Payload] | Rejected:
    """(an item's class number, its payload), or why the item need not be decoded."""
    if isinstance(payload, Rejected):
        return payload
    if item.label is None:
        return -1, payload
    if item.label not in labels.numbers:
        return Rejected('the label is none of the classes', item.label)
    return labels.numbers[item.label], payload
