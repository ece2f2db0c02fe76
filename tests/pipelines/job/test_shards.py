"""The shard of an item follows from its id alone."""

import numpy as np

from pipelines.format.anchors import id_hash
from pipelines.job.shards import shard_of


def test_golden_shards():
    found = [shard_of(id_hash(f'train/{i:06}'), 7) for i in range(16)]
    assert found == [3, 5, 3, 1, 5, 1, 0, 4, 1, 1, 1, 1, 0, 1, 2, 5]


def test_shards_are_even():
    found = [shard_of(id_hash(str(i)), 8) for i in range(8000)]
    # Five standard deviations about a thousand each.
    assert np.abs(np.bincount(found, minlength=8) - 1000).max() < 5 * (8000 * 7 / 64) ** 0.5
    assert {shard_of(id_hash(str(i)), 1) for i in range(9)} == {0}
