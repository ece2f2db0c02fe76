"""Where anchors fall: pinned, within bounds, and spread as each placement says."""

import numpy as np
import pytest

from pipelines.format import anchors
from trainer.data.placement import place_anchors

# Of runs that there are: whoever changes these changes what a seed means.
GOLDEN = {
    'stratified': [
        [[46, 50, 79], [35, 51, 90], [22, 25, 36]],
        [[12, 23, 48], [5, 19, 29], [3, 0, 8]],
        [[10, 34, 59], [24, 32, 65], [1, 9, 14]],
    ],
    'early': [
        [[100, 24, 27], [52, 25, 55], [30, 18, 33]],
        [[36, 3, 6], [12, 3, 14], [9, 0, 6]],
        [[5, 2, 1], [60, 1, 6], [1, 4, 1]],
    ],
}


def place(placement, lengths, steps, *, count=3, hashes=None, seed=7, epoch=3):
    rows = len(lengths)
    return place_anchors(
        placement,
        seed=seed,
        epoch=epoch,
        id_hashes=np.arange(rows, dtype=np.uint64) if hashes is None else hashes,
        lengths=np.array(lengths),
        auxiliary_steps=np.array(steps),
        anchors_per_sequence=count,
    )


@pytest.mark.parametrize('placement', GOLDEN)
def test_a_seed_an_epoch_and_an_id_mean_the_same_for_ever(placement):
    hashes = np.array([1, 2**63 + 5, 12345678901234567], np.uint64)
    found = place(placement, [100, 100, 37], [20, 20, 18], hashes=hashes)
    assert {a.dtype for a in found} == {np.dtype(np.int32)}
    assert [a.tolist() for a in found] == GOLDEN[placement]
    alone = place(placement, [37], [18], hashes=hashes[2:])
    for whole, one in zip(found, alone, strict=True):
        np.testing.assert_array_equal(whole[2:], one)
    other = place(placement, [100, 100, 37], [20, 20, 18], hashes=hashes, epoch=4)
    assert all((a != b).any() for a, b in zip(found, other, strict=True))


def test_uniform_is_what_the_job_stores():
    hashes, lengths = np.array([3, 99], np.uint64), np.array([50, 41])
    found = place('uniform', lengths, [10, 10], hashes=hashes)
    want = anchors.sample_anchors(
        seed=7,
        sets=[3],
        id_hashes=hashes,
        lengths=lengths,
        auxiliary_steps=np.array([10, 10]),
        anchors_per_sequence=3,
    )
    for got, all_sets in zip(found, want, strict=True):
        np.testing.assert_array_equal(got, all_sets[:, 0])


@pytest.mark.parametrize('placement', ['uniform', 'stratified', 'early'])
def test_all_of_the_range_and_nothing_else(placement):
    """The shortest rows have one place; of others each place is found."""
    found = place(placement, [1, 2, 3], [1, 1, 1])
    assert (found.r_anchors[0] == 1).all()
    assert (found.p_anchors[:2] == 0).all()
    lengths, steps = np.full([3000], 12), np.full([3000], 4)
    found = place(placement, lengths, steps)
    assert set(found.r_anchors.flat) == set(range(4, 13))
    assert set(found.p_anchors.flat) == set(range(8))
    assert (found.r_starts >= 0).all()
    assert (found.r_starts <= found.r_anchors - 4).all()
    latest = found.r_starts[found.r_anchors == 12]
    counts = np.bincount(latest, minlength=9) / len(latest)
    np.testing.assert_allclose(counts, 1 / 9, atol=0.04)


def test_stratified_is_one_in_each_stretch():
    found = place('stratified', [100] * 500, [19] * 500)
    for anchor, low, high in ((found.r_anchors, 19, 100), (found.p_anchors, 0, 80)):
        third = (high + 1 - low) / 3
        for k in range(3):
            column = anchor[:, k]
            assert column.min() == low + np.floor(k * third)
            assert column.max() == low + np.ceil((k + 1) * third) - 1


def test_early_is_uniform_in_the_logarithm():
    """Of 6,000 draws a tenth lies in each tenth of log(position + 1)."""
    found = place('early', [1000] * 2000, [49] * 2000)
    for anchor, low, high in ((found.r_anchors, 49, 1000), (found.p_anchors, 0, 950)):
        share = np.log((anchor.ravel() + 1.5) / (low + 1)) / np.log((high + 2) / (low + 1))
        spread = share if low else share[anchor.ravel() > 20]
        begin = 0 if low else np.log(22) / np.log(952)
        edges = np.linspace(begin, 1, 11)
        counts, _ = np.histogram(spread, edges)
        np.testing.assert_allclose(counts / counts.sum(), 0.1, atol=0.02)
    assert (found.p_anchors < 31).mean() == pytest.approx(np.log(32) / np.log(952), abs=0.02)
