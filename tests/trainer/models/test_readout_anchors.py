"""Anchors that share windows, row by row and step by step."""

import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.bptt.sequences import right_aligned
from trainer.models.readout_anchors import ReadoutAnchors

TOTAL, STEPS, UNITS = 20, 6, 2
# Of rows of 20 steps: two windows each; of shorter ones the window lies in the padding partly.
FIXED = np.array([[0, 14], [3, 9], [7, 7]])
LENGTHS = np.array([20, 15, 4, 1])
PADDED = np.array([[0, 9], [14, 5], [14, 14], [14, 14]])
DISTANCES = np.array([1, 2, 7, 30], np.int32)


def cases(padded):
    starts = PADDED if padded else FIXED
    lengths = LENGTHS if padded else np.full([len(FIXED)], TOTAL)
    return starts, lengths, (TOTAL - lengths if padded else None)


def expected_places(starts, lengths, count):
    """By loops: [M][W*B] steps of the windows."""
    rows, windows = starts.shape
    found = []
    for j in range(1, count + 1):
        for w in range(windows):
            for b in range(rows):
                skipped = max(0, TOTAL - lengths[b] - starts[b, w])
                found.append(skipped + math.ceil(j * (STEPS - skipped) / count) - 1)
    return np.array(found).reshape(count, windows * rows)


@pytest.mark.parametrize('padded', [False, True])
@pytest.mark.parametrize('count', [1, 4, 6])
def test_they_stand_evenly_in_what_a_window_reads(padded, count):
    starts, lengths, padding = cases(padded)
    made = None if padding is None else tf.constant(padding, tf.int32)
    found = ReadoutAnchors.of(tf.constant(starts, tf.int32), padding=made, steps=STEPS, count=count)
    places = expected_places(starts, lengths, count)
    np.testing.assert_array_equal(found.places, places)
    np.testing.assert_array_equal(found.positions, places + starts.T.reshape(-1) + 1)
    # The last one stands at the end, none before its row's first step.
    assert (places[-1] == STEPS - 1).all()
    assert (found.positions - np.tile(TOTAL - lengths, 2) >= 1).numpy().all()
    hidden = np.random.default_rng(0).normal(size=[STEPS, starts.size, UNITS])
    want = [hidden[place, i] for row in places for i, place in enumerate(row)]
    np.testing.assert_array_equal(found.pick(tf.constant(hidden)), want)


@pytest.mark.parametrize('future', [False, True])
@pytest.mark.parametrize('padded', [False, True])
@pytest.mark.parametrize('ids', [False, True])
def test_they_are_asked_for_what_lies_there(padded, future, ids):
    starts, lengths, padding = cases(padded)
    random, count = np.random.default_rng(1), 3
    shape = [len(lengths), TOTAL] if ids else [len(lengths), TOTAL, 2]
    inputs = random.integers(0, 256, shape).astype(np.uint8)
    made = None if padding is None else tf.constant(padding, tf.int32)
    sequences = right_aligned(
        tf.constant(inputs), tf.constant(lengths, tf.int32) if padded else None, tf.float64
    )
    found = ReadoutAnchors.of(tf.constant(starts, tf.int32), padding=made, steps=STEPS, count=count)
    columns, valid = found.asked(sequences, tf.constant(DISTANCES), future=future)
    positions = found.positions.numpy()
    assert columns.shape == (positions.size, len(DISTANCES), *shape[2:])
    asked = 0
    for i, position in enumerate(positions.reshape(-1)):
        row = i % len(lengths)
        read = inputs[row, TOTAL - lengths[row] : position]
        to_come = inputs[row, position:]
        for n, d in enumerate(DISTANCES):
            there = to_come[d - 1 : d] if future else read[::-1][d - 1 : d]
            assert valid[i, n].numpy() == (len(there) == 1)
            if len(there):
                asked += 1
                want = there[0] if ids else there[0] / 255
                np.testing.assert_allclose(columns[i, n], want)
    assert 0 < asked < columns.shape[0] * len(DISTANCES)
