"""Items travel packed, and arrive as they were."""

import pickle

from pipelines.job.items import Hashed, Item
from pipelines.job.packing import pack, unpack


def items(count, group='/data/train.zip'):
    for i in range(count):
        label = None if i % 5 == 0 else f'c{i % 3}'
        place = i if i % 2 else f'c/{i}\udcff.png'
        yield Hashed(2**64 - 1 - i, Item(f'train/c/{i}\udcff.png', 'train', label, group, place))


def test_they_arrive_as_they_were():
    first, second = list(items(9)), list(items(3, group='other'))
    assert unpack([pack(first), b'', pack(second)]) == first + second
    assert all(isinstance(h, Hashed) and isinstance(h.item, Item) for h in unpack([pack(first)]))
    assert unpack([b'']) == unpack([]) == []


def test_what_they_share_is_written_once():
    """Even where each item has a string of its own with the same letters."""
    group = 'a long folder ' * 20
    found = [Hashed(i, Item(str(i), 'train', 'x', ''.join([*group]), i)) for i in range(500)]
    assert len(pack(found)) < 500 * 40 < len(pickle.dumps(found)) / 3
