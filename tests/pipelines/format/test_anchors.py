"""Anchors: golden integers, bounds, uniformity, and one function for the job and the trainer."""

import numpy as np
import pytest
import source_data
from scipy import stats

from pipelines.format import anchors, records
from pipelines.format.errors import LonghaulError

IDS = ['0000', 'train/cat/01.png', 'ä']


def draw(ids, lengths, steps, *, seed=0, sets=(0,), k=1):
    return anchors.sample_anchors(
        seed=seed,
        sets=sets,
        id_hashes=np.array([anchors.id_hash(i) for i in ids], np.uint64),
        lengths=np.array(lengths),
        auxiliary_steps=np.array(steps),
        anchors_per_sequence=k,
    )


# The function again, from its description, in Python's integers: splitmix64 (whose first output
# from state 0 is published: 0xe220a8397b1dcdaf) as a step of a chain over the streams.
BITS, GOLDEN = (1 << 64) - 1, 0x9E3779B97F4A7C15


def splitmix64(state: int) -> int:
    z = (state + GOLDEN) & BITS
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & BITS
    return z ^ (z >> 31)


def chain(seed: int, *streams: int) -> int:
    z = splitmix64(((GOLDEN ^ splitmix64(seed & BITS)) - GOLDEN) & BITS)
    for stream in streams:
        z = splitmix64((((z + GOLDEN) & BITS) ^ splitmix64(stream & BITS)) - GOLDEN & BITS)
    return z


def reference(seed, e, example_id, k, length, steps):
    """(r_anchor, r_start, p_anchor) of one example, one set and one anchor."""

    def below(stream, count):
        return (chain(seed, stream, e, anchors.id_hash(example_id), k) >> 32) * count >> 32

    r_anchor = steps + below(1, length - steps + 1)
    return r_anchor, below(2, r_anchor - steps + 1), below(3, max(length - steps, 0))


def test_the_reference_is_splitmix64():
    assert splitmix64(0) == 0xE220A8397B1DCDAF


@pytest.mark.parametrize(
    ('example_id', 'expected'),
    [
        ('', 0xB4B2797457A0A6E4),
        ('a', 0x2F42665B399EF840),
        ('train/cat/01.png', 0x0C129DD3E90E480D),
        ('ä', 0x39A02B5EE2BB4DF0),
    ],
    ids=['empty', 'a', 'path', 'umlaut'],
)
def test_golden_id_hashes(example_id, expected):
    assert anchors.id_hash(example_id) == expected


@pytest.mark.parametrize(
    ('streams', 'expected'),
    [
        ((0,), 0x0397AB29740681D9),
        ((0, 1), 0x16D18D002A6733A9),
        ((1, 0), 0xF0954079B53BD679),
        ((-1, 2, 3), 0x6B9A0E6299CC7512),
        ((7, 1, 2, 3, 4), 0x75FE6BABB18CF54C),
        ((2**64 + 5, 9), 0xA20F3C7BAFA258E2),
    ],
    ids=str,
)
def test_golden_mixing(streams, expected):
    assert int(anchors.mix(*streams)) == expected == chain(*streams)


@pytest.mark.parametrize('arrays', [(1,), (2,), (3,), (1, 2), (1, 3), (1, 2, 3)], ids=str)
def test_mixing_is_the_same_for_integers_and_arrays(arrays):
    # Integers take a path of their own, from the first array on all goes through numpy.
    streams = [5, 1 << 63, 3, 2**64 - 1]
    for i in arrays:
        streams[i] = np.array([streams[i], 0], np.uint64)
    mixed = anchors.mix(*streams)
    assert mixed.dtype == np.uint64
    assert int(mixed[0]) == chain(5, 1 << 63, 3, 2**64 - 1)


def test_mixing_broadcasts():
    mixed = anchors.mix(1, np.arange(3, dtype=np.uint64)[:, None], np.arange(2, dtype=np.uint64))
    assert mixed.tolist() == [[chain(1, a, b) for b in range(2)] for a in range(3)]


def test_golden_anchors():
    drawn = draw(IDS, [784, 30, 2], [600, 15, 1], seed=3, sets=[0, 1, 5], k=2)
    assert drawn.r_anchors.tolist() == [
        [[628, 663], [743, 633], [774, 607]],
        [[22, 19], [16, 19], [18, 16]],
        [[2, 1], [1, 1], [2, 1]],
    ]
    assert drawn.r_starts.tolist() == [
        [[4, 50], [47, 16], [114, 6]],
        [[5, 2], [1, 0], [2, 0]],
        [[0, 0], [0, 0], [0, 0]],
    ]
    assert drawn.p_anchors.tolist() == [
        [[13, 160], [64, 167], [85, 155]],
        [[1, 4], [14, 0], [7, 9]],
        [[0, 0], [0, 0], [0, 0]],
    ]
    assert {a.dtype for a in drawn} == {np.dtype(np.int32)}


def test_a_negative_seed_is_a_seed():
    drawn = draw(IDS[:1], [64], [16], seed=-4, sets=[1])
    assert [a.item() for a in drawn] == [23, 7, 39]
    assert reference(-4, 1, IDS[0], 0, 64, 16) == (23, 7, 39)


def test_an_element_depends_on_nothing_beside_it():
    whole = draw(IDS, [90, 80, 70], [9, 8, 7], sets=range(5), k=3)
    for i, e, k in np.ndindex(3, 5, 3):
        expected = reference(0, e, IDS[i], k, 90 - 10 * i, 9 - i)
        assert tuple(a[i, e, k] for a in whole) == expected
    alone = draw(IDS[1:2], [80], [8], sets=[4], k=2)
    for a, b in zip(whole, alone, strict=True):
        assert a[1, 4, :2].tolist() == b[0, 0].tolist()


@pytest.mark.parametrize(
    ('length', 'steps', 'r_anchors', 'p_anchors'),
    [
        pytest.param(5, 3, {3, 4, 5}, {0, 1}, id='some-room'),
        pytest.param(5, 4, {4, 5}, {0}, id='one-step-of-room'),
        pytest.param(3, 1, {1, 2, 3}, {0, 1}, id='one-auxiliary-step'),
        pytest.param(1, 1, {1}, {0}, id='one-step-in-all'),
    ],
)
def test_reaches_all_that_is_allowed_and_no_more(length, steps, r_anchors, p_anchors):
    ids = [str(i) for i in range(400)]
    drawn = draw(ids, [length] * 400, [steps] * 400)
    assert set(drawn.r_anchors.reshape(-1).tolist()) == r_anchors
    assert set(drawn.p_anchors.reshape(-1).tolist()) == p_anchors
    for anchor in r_anchors:
        starts = drawn.r_starts[drawn.r_anchors == anchor]
        assert set(starts.tolist()) == set(range(anchor - steps + 1))


COUNT = 20_000


@pytest.mark.parametrize('by', ['id', 'set', 'anchor'])
def test_uniform_over(by):
    """Chi-square of all three over their whole ranges, p > 1e-4 (the draw is fixed)."""
    if by == 'id':
        drawn = draw([str(i) for i in range(COUNT)], [64] * COUNT, [16] * COUNT)
    elif by == 'set':
        drawn = draw(['x'], [64], [16], sets=range(COUNT))
    else:
        drawn = draw(['x'], [64], [16], k=COUNT)
    r, s, p = (a.reshape(-1) for a in drawn)
    assert stats.chisquare(np.bincount(r - 16, minlength=49)).pvalue > 1e-4
    assert stats.chisquare(np.bincount(p, minlength=48)).pvalue > 1e-4
    # A start in 0..room is uniform for its anchor: so is (start + 1/2) / (room + 1).
    tenths = np.floor((s + 0.5) / (r - 16 + 1) * 10)[r - 16 + 1 == 40]
    assert stats.chisquare(np.bincount(tenths.astype(int), minlength=10)).pvalue > 1e-4


def test_the_three_and_their_neighbours_are_independent():
    ids = [str(i) for i in range(COUNT)]
    drawn = draw(ids, [64] * COUNT, [16] * COUNT, sets=[0, 1], k=2)
    other = draw(ids, [64] * COUNT, [16] * COUNT, seed=1, sets=[0, 1], k=2)
    rows = [a[:, e, k] for a in (drawn.r_anchors, drawn.p_anchors) for e in (0, 1) for k in (0, 1)]
    rows += [other.r_anchors[:, 0, 0], other.p_anchors[:, 0, 0]]
    # Half a step more, so that the mean is 1/2 whatever the anchor.
    rows += [(drawn.r_starts[:, 0, 0] + 0.5) / (drawn.r_anchors[:, 0, 0] - 15)]
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() < 4.5 / np.sqrt(COUNT)


def test_auxiliary_length_of_documents():
    lengths = np.array([1, 2, 3, 4, 5, 19, 20, 21, 1000])
    found = anchors.auxiliary_length(lengths, 10, fixed_length=False)
    assert found.tolist() == [1, 1, 1, 2, 2, 9, 10, 10, 10]


@pytest.mark.parametrize('steps', [64, 65])
def test_fixed_lengths_need_room_for_an_anchor(steps):
    lengths = np.array([64, 64])
    assert anchors.auxiliary_length(lengths, 63, fixed_length=True).tolist() == [63, 63]
    with pytest.raises(LonghaulError, match=f'^auxiliary_steps={steps}: .* 64 steps, .*16 would'):
        anchors.auxiliary_length(lengths, steps, fixed_length=True)


def test_the_job_stores_them_and_the_trainer_draws_them(digit_records):
    """The stored sets are the reference's; what the trainer hands on, stored or drawn, too."""
    from trainer.config import ObjectiveConfig
    from trainer.data.batches import Rows, SplitInput

    stored = source_data.by_id(digit_records)
    for example in stored.values():
        for e in range(2):
            expected = reference(0, e, example.id, 0, 64, 16)
            kept = example.r_anchors[e], example.r_starts[e], example.p_anchors[e]
            assert kept == expected, (example.id, e)

    info = records.read_info(digit_records)
    objective = ObjectiveConfig(auxiliary_steps=16, reconstruction_weight=1.0)
    source = SplitInput(digit_records, 'train', info, objective, seed=0)
    order = source.order(50)
    for step in (0, 4, 13):
        epoch = order.epoch_of(step)
        dataset = source.training(order, first_step=step, parts=[Rows(0, 1)])
        batch = next(iter(dataset.take(1).as_numpy_iterator()))
        for i, example_id in enumerate(source.ids(batch['rows'])):
            found = tuple(int(batch[n][i, 0]) for n in ('r_anchors', 'r_starts', 'p_anchors'))
            assert found == reference(0, epoch, example_id, 0, 64, 16)
    assert epoch >= info.anchor_sets  # The last one is drawn, not stored.
