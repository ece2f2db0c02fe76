"""Batches of sequences that lie in no records, and what is refused."""

import numpy as np
import pytest

from pipelines.format.errors import LonghaulError
from trainer.config import ObjectiveConfig
from trainer.data import own

READOUT = ObjectiveConfig(
    auxiliary_bptt_steps=8,
    reconstruction_weight=1.0,
    reconstruction_form='readout',
    readout_distances=4,
    anchors_per_sequence=2,
)
DECODER = ObjectiveConfig(auxiliary_steps=6, reconstruction_weight=1.0, prediction_weight=1.0)


def rows(*lengths, dtype=np.float32):
    random = np.random.default_rng(0)
    return [random.uniform(0, 1, [n, 2]).astype(dtype) for n in lengths]


def described(segment_steps=10):
    return own.describe(rows(10, 30), ['a', 'b'], segment_steps=segment_steps)


def test_rows_end_where_the_batch_ends():
    batch = described().batch(READOUT, rows(5, 12), [1, -1])
    assert batch['inputs'].shape == (2, 20, 2)
    assert batch['inputs'].dtype == np.float16
    assert (batch['inputs'][0, :15] == 0).all()
    np.testing.assert_array_equal(batch['inputs'][0, 15:], rows(5)[0].astype(np.float16))
    assert (batch['lengths'] == [5, 12]).all()
    assert (batch['labels'] == [1, -1]).all()


def test_an_array_padded_at_its_end_is_the_same_batch():
    first, second = rows(5, 12)
    padded = np.full([2, 12, 2], 9.0, np.float32)
    padded[0, :5], padded[1] = first, second
    one = described().batch(READOUT, [first, second], step=3)
    two = described().batch(READOUT, padded, lengths=[5, 12], step=3)
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, two[name], err_msg=name)


def test_what_is_drawn_depends_on_seed_and_step_alone():
    def anchors(**where):
        return described().batch(READOUT, rows(30, 30, 30), **where)['r_anchors']

    np.testing.assert_array_equal(anchors(step=1), anchors(step=1))
    np.testing.assert_array_equal(anchors(), anchors())
    assert (anchors(step=1) != anchors(step=2)).any()
    assert (anchors(step=1) != anchors(step=1, seed=1)).any()
    for step in range(20):
        found = anchors(step=step)
        assert ((found >= 8) & (found <= 30)).all()


def test_own_anchors_take_the_place_of_drawn_ones():
    wanted = {'r_anchors': [[6], [30]], 'p_anchors': [[0], [23]]}
    batch = described().batch(DECODER, rows(30, 30), anchors=wanted)
    assert (batch['r_anchors'] == [[6], [30]]).all()
    assert (batch['p_anchors'] == [[0], [23]]).all()
    assert (batch['r_starts'] <= batch['r_anchors'] - 6).all()
    assert (batch['r_starts'] >= 0).all()


def test_scales_are_those_of_the_steps():
    found = own.describe(rows(100, 200), ['a'])
    steps = np.concatenate(rows(100, 200)).astype(np.float16).astype(np.float64)
    np.testing.assert_allclose(found.scales.variance, steps.var(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.scales.mean, steps.mean(axis=0), rtol=1e-9)
    assert found.scales.entropy is None
    letters = own.describe([np.frombuffer(b'abab', np.uint8)], ['a'])
    assert letters.info.spec.kind == 'text'
    np.testing.assert_allclose(letters.scales.entropy, [np.log(2)])
    pixels = own.describe([np.array([[0], [255]], np.uint8)], ['a'])
    np.testing.assert_allclose(pixels.scales.variance, [0.25])


@pytest.mark.parametrize(
    ('inputs', 'more', 'words'),
    [
        ([], {}, 'inputs: no row is there'),
        (3.0, {}, 'inputs: no row is there'),
        (rows(0), {}, r'inputs\[0\]: has no step'),
        ([[[1.0], [1.0, 2.0]]], {}, r'inputs\[0\]: is no array'),
        ([1.0, 2.0], {'lengths': [1, 1]}, r'lengths\[0\]=1: the row has 0 steps'),
        (rows(5), {'labels': [[1], [1, 2]]}, 'labels: is no array'),
        (rows(30), {'anchors': [[9, 9]]}, 'anchors: is list; arrays by name are needed'),
        ([np.zeros([4, 3])], {}, r'inputs\[0\]: has the shape \[4, 3\]'),
        ([np.zeros([4])], {}, r'inputs\[0\]: has the shape \[4\]'),
        ([np.zeros([4, 2], int)], {}, r'inputs\[0\]: holds int64; convert it to floats'),
        ([np.full([4, 2], np.nan)], {}, r'inputs\[0\]: has values that are not finite'),
        ([np.full([4, 2], 1e6)], {}, r'inputs\[0\]: has values that are not finite in float16'),
        (rows(5, 6), {'labels': [0, 2]}, r'labels\[1\]=2: there are 2 classes; 0..1 is needed'),
        (rows(5, 6), {'labels': [0, -2]}, r'labels\[1\]=-2'),
        (rows(5, 6), {'labels': [0]}, r'labels: is int64 of shape \[1\]; whole numbers of shape'),
        (rows(5, 6), {'labels': [0.0, 1.0]}, 'labels: is float64'),
        (rows(5, 6), {'lengths': [5, 7]}, r'lengths\[1\]=7: the row has 6 steps; 1..6'),
        (rows(5, 6), {'lengths': [0, 6]}, r'lengths\[0\]=0'),
        (rows(30), {'anchors': {'r_anchor': [[9, 9]]}}, "anchors.'r_anchor'.: is not known"),
        (rows(30), {'anchors': {'r_anchors': [[9, 31]]}}, r'r_anchors\[0, 1\]=31: .* 8..30'),
        (rows(30), {'anchors': {'r_anchors': [[7, 9]]}}, r'r_anchors\[0, 0\]=7: .* 8..30'),
        (rows(30), {'anchors': {'r_anchors': [[9]]}}, r'r_anchors: is int64 of shape \[1, 1\]'),
        (rows(30), {'anchors': {'p_anchors': [[0, 22]]}}, r'p_anchors\[0, 1\]=22: .* 0..21'),
        (
            rows(30),
            {'anchors': {'r_anchors': [[9, 9]], 'r_starts': [[0, 2]]}},
            r'r_starts\[0, 1\]=2: the row has 30 steps; 0..1 is needed',
        ),
    ],
)
def test_refuses_what_makes_no_sense(inputs, more, words):
    with pytest.raises(LonghaulError, match=words) as caught:
        described().batch(READOUT, inputs, **more)
    assert '\n' not in str(caught.value)


def test_anchors_without_a_loss_are_refused():
    with pytest.raises(LonghaulError, match='no loss is used at anchors'):
        described().batch(ObjectiveConfig(), rows(30), anchors={'r_anchors': [[9]]})


@pytest.mark.parametrize(
    ('sequences', 'names', 'words'),
    [
        ([], ['a'], 'sequences: no row is there'),
        (None, ['a'], 'sequences: no row is there'),
        (rows(3), 2, 'a list of different names'),
        (rows(3), [0, 1], 'a list of different names'),
        ([np.zeros([3, 2], int)], ['a'], 'the first one is int64 of shape'),
        ([np.zeros([3])], ['a'], 'the first one is float64 of shape'),
        (rows(3), [], 'a list of different names'),
        (rows(3), 'ab', 'a list of different names'),
        (rows(3), ['a', 'a'], 'a list of different names'),
        ([*rows(3), np.zeros([3, 1])], ['a'], r'sequences\[1\]: has the shape \[3, 1\]'),
    ],
)
def test_refuses_to_describe(sequences, names, words):
    with pytest.raises(LonghaulError, match=words):
        own.describe(sequences, names)


@pytest.mark.parametrize('steps', [0, -1, 2.5])
def test_segments_have_steps(steps):
    with pytest.raises(LonghaulError, match='segment_steps'):
        own.describe(rows(3), ['a'], segment_steps=steps)


def test_sequences_may_come_one_by_one():
    found = own.describe((row for row in rows(5, 9)), np.array(['a', 'b']))
    assert found.info.class_names == ('a', 'b')
    assert (found.info.segment_steps, found.steps_per_epoch(1)) == (9, 2)
