"""The shard of an item follows from its id alone."""

import numpy as np

from pipelines.format.anchors import id_hash
from pipelines.job.shards import shards_of


def shards(names, count):
    return shards_of(np.array([id_hash(name) for name in names], np.uint64), count)


def test_golden_shards():
    found = shards([f'train/{i:06}' for i in range(16)], 7)
    assert found.tolist() == [3, 5, 3, 1, 5, 1, 0, 4, 1, 1, 1, 1, 0, 1, 2, 5]


def test_shards_are_even():
    found = shards(map(str, range(8000)), 8).astype(int)
    # Five standard deviations about a thousand each.
    assert np.abs(np.bincount(found, minlength=8) - 1000).max() < 5 * (8000 * 7 / 64) ** 0.5
    assert set(shards(map(str, range(9)), 1).tolist()) == {0}
