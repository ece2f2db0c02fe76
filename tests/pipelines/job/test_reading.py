"""Batches: bounded, in order, decoded by any number of threads; one bad item spoils no other."""

import dataclasses
import threading

import numpy as np
import pytest
from source_data import encode_image, pixels

from pipelines.format.spec import SequenceSpec, text_spec
from pipelines.format.values import sums_of
from pipelines.job import encoder, reading
from pipelines.job.items import Hashed, Item, Payload, Rejected
from pipelines.job.labels import Labels

IMAGE = SequenceSpec('image', image_size=4, channels=3)
LABELS = Labels(('a',), {'a': 0})


@dataclasses.dataclass
class Source:
    """Payloads by place, and how many have been read."""

    payloads: list
    read_so_far: int = 0

    def read(self, group, items):
        for item in items:
            self.read_so_far += 1
            yield self.payloads[item.place]


@dataclasses.dataclass
class Plan:
    source: Source
    spec: SequenceSpec


def batches(payloads, spec, threads=1):
    items = [Hashed(i, Item(str(i), 'train', 'a', 'group', i)) for i in range(len(payloads))]
    plan = Plan(Source(payloads), spec)
    return plan.source, reading.decoded(items, plan, LABELS, threads)


def mixed():
    """Pictures of two sizes, files that cannot be used, pixels of two shapes."""
    good = [encode_image(pixels(i, side, side)) for i, side in enumerate([4, 9, 4, 4, 5])]
    bad = [b'', encode_image(pixels(0))[:60], b'text', Rejected('gone', 'x')]
    raw = [pixels(i, side, side, 1)[:, :, None] for i, side in enumerate([4, 6, 4])]
    files = [p if isinstance(p, Rejected) else Payload(p) for p in [*good, *bad, *good[:2]]]
    return [*files, *(Payload(p) for p in raw)]


def alone(payload):
    """What one item becomes, or why it cannot."""
    if isinstance(payload, Rejected):
        return payload
    (found,) = encoder.encode_batch([payload], IMAGE)
    return found


@pytest.mark.parametrize('threads', [1, 3])
def test_a_batch_is_what_its_items_are_one_by_one(threads, monkeypatch):
    monkeypatch.setattr(reading, '_BATCH_ITEMS', 6)
    payloads = mixed()
    _, found = batches(payloads, IMAGE, threads)
    found = [entry for batch in found for entry in batch.items]
    assert [entry.hashed.item.place for entry in found] == list(range(len(payloads)))
    expected = [alone(payload) for payload in payloads]
    assert sum(isinstance(values, Rejected) for values in expected) == 4
    for entry, values in zip(found, expected, strict=True):
        if isinstance(values, Rejected):
            assert entry.verdict.args == values.args
        else:
            np.testing.assert_array_equal(entry.values, values)
            assert entry.values.dtype == values.dtype


def test_sums_are_those_of_what_can_be_used():
    _, found = batches(mixed(), IMAGE)
    (batch,) = found
    usable = [e.values for e in batch.items if isinstance(e, reading.Decoded)]
    assert batch.sums == sums_of(usable)
    assert batch.sums[0].steps == 16 * 10
    _, found = batches([Payload(b'text')], text_spec())
    assert [batch.sums for batch in found] == [[]]


def test_documents_of_any_length_come_apart_again():
    texts = [b'x', b'a\0b\0', b'long' * 5000, b'\0', bytes(range(256))]
    _, found = batches([Payload(t) for t in texts], text_spec())
    assert [bytes(entry.values) for batch in found for entry in batch.items] == texts


def test_no_more_is_read_than_the_batches_hold(monkeypatch):
    monkeypatch.setattr(reading, '_BATCH_ITEMS', 5)
    source, found = batches([Payload(b'text')] * 100, text_spec(), threads=2)
    sizes = []
    for number, batch in enumerate(found):
        # Two threads have one each, two wait, and one item begins the next.
        assert source.read_so_far <= 5 * (number + 4) + 1
        sizes.append(len(batch.items))
    assert sizes == [5] * 20


def test_batches_are_bounded_by_bytes(monkeypatch):
    monkeypatch.setattr(reading, '_BATCH_BYTES', 100)
    sizes = [30, 30, 30, 30, 200, 1, 99, 1]
    _, found = batches([Payload(b'x' * size) for size in sizes], text_spec())
    batched = [[len(entry.values) for entry in batch.items] for batch in found]
    assert batched == [[30, 30, 30], [30], [200], [1, 99], [1]]
    # Of what they become: 48 values an image.
    _, found = batches([Payload(pixels(0, 4, 4, 1)[:, :, None])] * 5, IMAGE)
    assert [len(batch.items) for batch in found] == [2, 2, 1]


def test_an_error_ends_the_threads(monkeypatch):
    def fail(payloads, spec):
        raise OSError('a broken decoder')

    monkeypatch.setattr(reading, 'encode_batch', fail)
    before = threading.active_count()
    _, found = batches([Payload(b'text')] * 1000, text_spec(), threads=2)
    with pytest.raises(OSError, match='a broken decoder'):
        list(found)
    assert threading.active_count() == before
