"""What one step costs, against numpy."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.models.step_losses import StepLoss, mean_of_valid

RANDOM = np.random.default_rng(0)


def cross_entropy(logits, targets):
    """[..., V] and int [...] -> [...]."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(logits, targets[..., np.newaxis], axis=-1)[..., 0]
    return np.log(np.exp(logits).sum(axis=-1)) - chosen


@pytest.mark.parametrize('scales', [None, (0.5, 0.0, 2.0)])
def test_squared_error(scales):
    outputs, targets = RANDOM.normal(size=[2, 4, 5, 3])
    found = StepLoss(scales=scales)(tf.constant(outputs), tf.constant(targets))
    squares = (outputs - targets) ** 2
    if scales:
        # What is always the same costs nothing, and is one of three all the same.
        squares = np.stack([squares[..., 0] / 0.5, 0 * squares[..., 1], squares[..., 2] / 2], -1)
    np.testing.assert_allclose(found, squares.mean(axis=-1), rtol=1e-12)


@pytest.mark.parametrize('scales', [None, (1.7,), (0.0,)])
def test_cross_entropy_of_ids(scales):
    logits, ids = RANDOM.normal(size=[4, 5, 9]), RANDOM.integers(0, 9, [4, 5])
    loss = StepLoss(scales=scales)
    targets = loss.targets(tf.constant(ids, tf.int32))
    factor = 1 if scales is None else 1 / 1.7 if scales[0] else 0
    want = cross_entropy(logits, ids) * factor
    np.testing.assert_allclose(loss(tf.constant(logits), targets), want, rtol=1e-10)
    said = loss.values(tf.constant(logits), tf.int32)
    np.testing.assert_array_equal(said, logits.argmax(axis=-1))
    assert said.dtype == tf.int32


@pytest.mark.parametrize('scales', [None, (2.0, 0.0)])
def test_cross_entropy_of_levels(scales):
    levels, stored = 6, RANDOM.integers(0, 6, [4, 5, 2])
    logits = RANDOM.normal(size=[4, 5, 2 * levels])
    loss = StepLoss(levels, scales)
    targets = loss.targets(tf.constant(stored / 5))
    np.testing.assert_array_equal(targets, stored)
    losses = cross_entropy(logits.reshape(4, 5, 2, levels), stored)
    want = losses.mean(axis=-1) if scales is None else losses[..., 0] / 2 / 2
    np.testing.assert_allclose(loss(tf.constant(logits), targets), want, rtol=1e-10)
    best = logits.reshape(4, 5, 2, levels).argmax(axis=-1) / 5
    np.testing.assert_allclose(loss.values(tf.constant(logits), tf.float64), best)


def test_the_mean_counts_valid_steps_alone():
    losses = tf.constant([[1.0, 5.0, float('nan')], [3.0, float('inf'), 7.0]])
    valid = tf.constant([[True, True, False], [True, False, False]])
    np.testing.assert_allclose(mean_of_valid(losses, valid), [2.0, 5.0, 0.0])
    np.testing.assert_allclose(mean_of_valid(losses, valid, axis=1), [3.0, 3.0])
