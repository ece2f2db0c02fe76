"""The order of training: complete, repeatable, different each epoch."""

import numpy as np
import pytest

from pipelines.format.errors import LonghaulError
from trainer.order import TrainingOrder, bucket_segments, evaluation_batches

HASHES = np.arange(1000, 1103, dtype=np.uint64)
ONE = np.ones(103, np.int64)


def order(**changes) -> TrainingOrder:
    return TrainingOrder(
        **{'id_hashes': HASHES, 'segments': ONE, 'batch_size': 10, 'seed': 0, **changes}
    )


def epoch(o: TrainingOrder, number: int) -> np.ndarray:
    n = o.steps_per_epoch
    return np.stack([o.at(step).rows for step in range(number * n, (number + 1) * n)])


def test_each_example_at_most_once_an_epoch_and_only_a_rest_left_out():
    rows = epoch(order(), 0).ravel()
    assert len(rows) == 100
    assert len(set(rows)) == 100


def test_the_rest_left_out_differs_by_epoch():
    left_out = [frozenset(range(103)) - frozenset(epoch(order(), e).ravel()) for e in range(4)]
    assert len(set(left_out)) > 1


def test_a_function_of_seed_epoch_and_step_alone():
    a, b = order(), order()
    b.at(57)
    np.testing.assert_array_equal(epoch(a, 3), epoch(b, 3))
    np.testing.assert_array_equal(a.at(12).rows, b.at(12).rows)
    assert (epoch(a, 0) != epoch(a, 1)).any()
    assert (epoch(a, 0) != epoch(order(seed=1), 0)).any()


def test_documents_are_batched_with_their_like():
    segments = np.arange(103) % 13 + 1
    o = order(segments=segments)
    assert o.steps_per_epoch == 10
    rows = [o.at(step) for step in range(10)]
    for batch in rows:
        assert segments[batch.rows].max() <= batch.segments
    assert len({b.segments for b in rows}) > 1
    assert len(set(np.concatenate([b.rows for b in rows]))) == 100


def test_buckets_are_few_and_waste_at_most_a_third():
    segments = np.arange(1, 4000)
    buckets = bucket_segments(segments)
    assert (buckets >= segments).all()
    assert ((buckets - segments) / buckets).max() <= 1 / 3
    assert len(set(buckets)) < 25
    assert list(bucket_segments(np.array([1, 2, 3, 4, 5, 7, 9, 13]))) == [1, 2, 3, 4, 6, 8, 12, 16]


def test_refuses_a_batch_larger_than_the_split():
    with pytest.raises(LonghaulError, match='batch_size=104.*only 103 examples'):
        order(batch_size=104)


def test_evaluation_counts_every_example_once():
    segments = np.arange(103) % 13 + 1
    counted = []
    for batch in evaluation_batches(segments, 10):
        assert len(batch.rows) == 10
        assert segments[batch.rows].max() <= batch.segments
        counted.extend(batch.rows[batch.counted])
    assert sorted(counted) == list(range(103))
