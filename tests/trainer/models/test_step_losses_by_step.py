"""The losses of the auxiliary heads: step by step as all at once, and nothing kept of them."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.models.layers import Initializer, StepHead
from trainer.models.step_losses import StepLoss, step_losses

STEPS, ROWS, UNITS, CHANNELS, LEVELS = 5, 3, 4, 2, 6


def make_head(outputs):
    make = Initializer(seed=1, dtype=tf.float64)
    return StepHead(make, 'head', inputs=UNITS, head_units=7, outputs=outputs)


def make_hidden():
    return tf.constant(np.random.default_rng(0).normal(size=[STEPS, ROWS, UNITS]))


def make_case(kind):
    """A head, targets, a loss, and that of all steps at once by TensorFlow's own functions."""
    rng = np.random.default_rng(2)
    if kind == 'values':
        targets = tf.constant(rng.random([STEPS, ROWS, CHANNELS]))
        return (
            make_head(CHANNELS),
            targets,
            StepLoss(),
            lambda y: tf.reduce_mean((y - targets) ** 2, -1),
        )
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
    if kind == 'ids':
        targets = tf.constant(rng.integers(0, LEVELS, [STEPS, ROWS]), tf.int32)
        return make_head(LEVELS), targets, StepLoss(), lambda y: entropy(targets, y)
    targets = tf.constant(rng.integers(0, LEVELS, [STEPS, ROWS, CHANNELS]), tf.int32)
    shape = [STEPS, ROWS, CHANNELS, LEVELS]
    return (
        make_head(CHANNELS * LEVELS),
        targets,
        StepLoss(LEVELS),
        lambda y: tf.reduce_mean(entropy(targets, tf.reshape(y, shape)), -1),
    )


@pytest.mark.parametrize('kind', ['values', 'ids', 'levels'])
def test_equals_all_steps_at_once(kind):
    head, targets, loss, at_once = make_case(kind)
    hidden = make_hidden()
    mix = tf.constant(np.random.default_rng(3).normal(size=[STEPS, ROWS]))
    results = []
    for losses_of in (
        lambda: step_losses(head, hidden, targets, loss),
        lambda: at_once(head(hidden)),
    ):
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            losses = losses_of()
            total = tf.reduce_sum(losses * mix)
        results.append([losses, *tape.gradient(total, [hidden, *head.trainable_variables])])
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-13)


def test_keeps_nothing_of_what_the_head_says():
    """Of all lists that the loops fill, only the hidden states' gradient is wider than a number."""
    head, targets, loss, _ = make_case('ids')

    @tf.function(autograph=False)
    def train(hidden):
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            total = tf.reduce_sum(step_losses(head, hidden, targets, loss))
        return tape.gradient(total, [hidden, *head.trainable_variables])

    graph = train.get_concrete_function(make_hidden()).graph
    shapes = [
        tf.get_static_value(op.inputs[0]).tolist()
        for op in graph.get_operations()
        if op.type in ('TensorListReserve', 'EmptyTensorList')
    ]
    assert sorted(shapes) == [[ROWS], [ROWS, UNITS]]
