"""The order of training: complete, repeatable, different each epoch; a set share of labels."""

import numpy as np
import pytest

from pipelines.format.errors import LonghaulError
from trainer.data.labelled_order import LabelledOrder, labelled_rows
from trainer.data.order import TrainingOrder, bucket_segments, evaluation_batches

HASHES = np.arange(1000, 1103, dtype=np.uint64)
ONE = np.ones(103, np.int64)


def order(**changes) -> TrainingOrder:
    return TrainingOrder(
        **{'id_hashes': HASHES, 'segments': ONE, 'batch_size': 10, 'seed': 0, **changes}
    )


# Every fourth: 26 of 103.
LABELLED = np.arange(103) % 4 == 0


def labelled_order(**changes) -> LabelledOrder:
    wanted = {'id_hashes': HASHES, 'segments': ONE, 'batch_size': 10, 'seed': 0}
    return LabelledOrder(**{**wanted, 'labelled': LABELLED, 'share': 0.3, **changes})


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


@pytest.mark.parametrize(
    ('share', 'count'), [(0.1, 1), (0.3, 3), (0.34, 3), (0.36, 4), (0.5, 5), (1.0, 10)]
)
@pytest.mark.parametrize('segments', [ONE, np.arange(103) % 13 + 1], ids=['images', 'documents'])
def test_each_batch_has_its_share_of_labels(share, count, segments):
    o = labelled_order(share=share, segments=segments)
    assert o.steps_per_epoch == 10
    for step in range(25):
        batch = o.at(step)
        assert len(batch.rows) == 10
        assert batch.counted.all()
        assert LABELLED[batch.rows].sum() == count
        assert segments[batch.rows].max() <= batch.segments
        assert batch.segments in bucket_segments(segments[batch.rows])


@pytest.mark.parametrize('share', [0.3, 0.9, 1.0])
@pytest.mark.parametrize('segments', [ONE, np.arange(103) % 13 + 1], ids=['images', 'documents'])
def test_each_is_used_as_often_as_its_like_in_new_orders(share, segments):
    """Over all epochs so far, after each of them."""
    o, used = labelled_order(share=share, segments=segments), np.zeros(103, int)
    for number in range(6):
        used += np.bincount(epoch(o, number).ravel(), minlength=103)
        for kind in (LABELLED, ~LABELLED):
            assert used[kind].max() - used[kind].min() <= 1
    assert used[LABELLED].min() >= 6 * round(share * 100) // 26
    together = {tuple(sorted(row[LABELLED[row]])) for e in range(6) for row in epoch(o, e)}
    assert len(together) > 40


def test_one_labelled_example_is_enough():
    o = labelled_order(labelled=np.arange(103) == 7, share=0.5)
    assert all((o.at(step).rows == 7).sum() == 5 for step in range(30))


def test_labelled_documents_are_batched_with_their_like():
    """All of them used alike within a cycle; few of the batches span many lengths."""
    segments = np.arange(103) * 7 % 13 + 1
    o = labelled_order(segments=segments, share=0.5)
    batches = [o.at(step) for step in range(10)]
    padding = sum(batch.segments * 10 - segments[batch.rows].sum() for batch in batches)
    assert padding / sum(batch.segments * 10 for batch in batches) < 0.3
    assert len({batch.segments for batch in batches}) > 3
    few = np.concatenate([batch.rows[LABELLED[batch.rows]] for batch in batches])
    counts = np.bincount(few, minlength=103)[LABELLED]
    assert set(counts) == {1, 2}
    assert [b.segments for b in batches] != sorted(b.segments for b in batches)


@pytest.mark.parametrize('segments', [ONE, np.arange(103) % 13 + 1], ids=['images', 'documents'])
def test_a_share_is_a_function_of_seed_epoch_and_step_alone(segments):
    a, b = labelled_order(segments=segments), labelled_order(segments=segments)
    found = [a.at(step) for step in range(35)]
    for step in (34, 3, 17, 20, 19, 0):
        batch = b.at(step)
        np.testing.assert_array_equal(batch.rows, found[step].rows)
        assert batch.segments == found[step].segments
    assert (epoch(a, 0) != epoch(a, 1)).any()
    assert (epoch(a, 0) != epoch(labelled_order(segments=segments, seed=1), 0)).any()


@pytest.mark.parametrize(
    ('share', 'counts', 'said'),
    [
        (0.04, (5, 5), '=0.04: of DataConfig.batch_size=10 that is no row.*at least 0.1'),
        (0.5, (0, 9), '=0.5: none of the 9 examples of the training split has a label; use'),
        (0.5, (9, 0), '=0.5: all 9 examples of the training split have labels; leave it out'),
    ],
)
def test_refuses_a_share_that_cannot_be(share, counts, said):
    labelled, unlabelled = counts
    with pytest.raises(LonghaulError, match=f'DataConfig.labelled_share{said}'):
        labelled_rows(share, batch_size=10, labelled=labelled, unlabelled=unlabelled)
    marks = np.repeat([True, False], [labelled * 10, unlabelled * 10])
    hashes = np.arange(len(marks), dtype=np.uint64)
    with pytest.raises(LonghaulError, match='labelled_share'):
        labelled_order(
            id_hashes=hashes, segments=np.ones(len(marks), int), labelled=marks, share=share
        )


def test_labelled_ones_alone_need_no_others():
    assert labelled_rows(1.0, batch_size=10, labelled=9, unlabelled=0) == 10
    with pytest.raises(LonghaulError, match='batch_size=104.*only 103 examples'):
        labelled_order(batch_size=104)
