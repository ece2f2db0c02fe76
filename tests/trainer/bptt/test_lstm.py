"""The LSTM against tf_keras's, with the same weights, in float64."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from trainer.bptt import lstm
from trainer.bptt.lstm import LSTMState, LSTMWeights

T, B, D, U = 11, 3, 4, 5


@pytest.fixture(scope='module')
def layer():
    tf_keras.utils.set_random_seed(1)
    layer = tf_keras.layers.LSTM(U, return_sequences=True, return_state=True, dtype='float64')
    layer(tf.zeros([B, T, D], tf.float64))
    return layer


@pytest.fixture(scope='module')
def inputs():
    return tf.constant(np.random.default_rng(0).normal(size=[B, T, D]))


def weights_of(layer) -> LSTMWeights:
    return LSTMWeights(*(tf.convert_to_tensor(v) for v in layer.trainable_variables))


def ours(weights, inputs, **options):
    state = lstm.zero_state(B, weights)
    columns = tf.transpose(inputs, [1, 0, 2])
    return lstm.lstm(columns, weights, state, input_gradient=True, **options)


def test_equals_tf_keras_forward_and_backward(layer, inputs):
    mix = tf.constant(np.random.default_rng(1).normal(size=[B, T, U]))

    def loss(y, h, c):
        return tf.reduce_sum(y * y * mix) + tf.reduce_sum(h * c * c)

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        theirs = loss(*layer(inputs))
        y, state = ours(weights_of(layer), inputs)
        mine = loss(tf.transpose(y, [1, 0, 2]), state.h, state.c)
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    for variable in [*layer.trainable_variables, inputs]:
        want, got = tape.gradient(theirs, variable), tape.gradient(mine, variable)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_gradient_reaches_the_first_state(layer, inputs):
    weights = weights_of(layer)
    start = LSTMState(*(tf.constant(np.random.default_rng(k).normal(size=[B, U])) for k in (2, 3)))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(start)
        y, h, c = layer(inputs, initial_state=[start.h, start.c])
        theirs = tf.reduce_sum(y**3) + tf.reduce_sum(h * c)
        y, end = lstm.lstm(tf.transpose(inputs, [1, 0, 2]), weights, start)
        mine = tf.reduce_sum(y**3) + tf.reduce_sum(end.h * end.c)
    for part in start:
        want = tape.gradient(theirs, part)
        np.testing.assert_allclose(tape.gradient(mine, part), want, rtol=1e-9, atol=1e-12)


def test_final_state_equals_the_last_state(layer, inputs):
    weights = weights_of(layer)
    _, want = ours(weights, inputs)
    state = lstm.zero_state(B, weights)
    got = lstm.final_state(tf.transpose(inputs, [1, 0, 2]), weights, state)
    np.testing.assert_allclose(got.h, want.h, rtol=1e-12)
    np.testing.assert_allclose(got.c, want.c, rtol=1e-12)


@pytest.mark.parametrize('dynamic', [False, True])
def test_final_state_of_rows_that_start_and_end_elsewhere(layer, inputs, dynamic):
    weights = weights_of(layer)
    first, last = np.array([0, 3, 10], np.int32), np.array([11, 9, 10], np.int32)
    signature = [tf.TensorSpec([None, None, D] if dynamic else [T, B, D], tf.float64)]
    read = tf.function(
        lambda x: lstm.final_state(
            x, weights, lstm.zero_state(tf.shape(x)[1], weights), first=first, last=last
        ),
        input_signature=signature,
    )
    got = read(tf.transpose(inputs, [1, 0, 2]))
    for row, (a, b) in enumerate(zip(first, last, strict=True)):
        want = np.zeros([1, U])
        if b > a:
            want = layer(inputs[row : row + 1, a:b])[1]
        np.testing.assert_allclose(got.h[row : row + 1], want, rtol=1e-12)


def test_rows_that_start_later_equal_shorter_rows(layer, inputs):
    weights = weights_of(layer)
    first = np.array([0, 4, 10], np.int32)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        y, state = ours(weights, inputs, first=tf.constant(first))
        mine = tf.reduce_sum(y**2) + tf.reduce_sum(state.c**3)
    with tf.GradientTape() as other:
        theirs = 0.0
        for row, a in enumerate(first):
            y, _, c = layer(inputs[row : row + 1, a:])
            theirs += tf.reduce_sum(y**2) + tf.reduce_sum(c**3)
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    for got, want in zip(
        tape.gradient(mine, weights), other.gradient(theirs, layer.trainable_variables), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('cut', [1, 2, 4, 10, 11, 20])
def test_bptt_steps_equal_stop_gradient_between_chunks(layer, inputs, cut):
    weights = weights_of(layer)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        y, _ = ours(weights, inputs, bptt_steps=cut)
        mine = tf.reduce_sum(y**2 * tf.range(1.0, U + 1, dtype=tf.float64))
    with tf.GradientTape() as other:
        state, theirs = None, 0.0
        for begin in range(0, T, cut):
            y, h, c = layer(inputs[:, begin : begin + cut], initial_state=state)
            state = [tf.stop_gradient(h), tf.stop_gradient(c)]
            theirs += tf.reduce_sum(y**2 * tf.range(1.0, U + 1, dtype=tf.float64))
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    for got, want in zip(
        tape.gradient(mine, weights), other.gradient(theirs, layer.trainable_variables), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_integer_inputs_pick_rows_of_the_kernel(layer):
    weights = weights_of(layer)
    ids = tf.constant(np.random.default_rng(5).integers(0, D, [T, B]), tf.int32)
    one_hot = tf.one_hot(ids, D, dtype=tf.float64)
    state = lstm.zero_state(B, weights)
    results = []
    for inputs in (ids, one_hot):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            y, _ = lstm.lstm(inputs, weights, state, bptt_steps=4)
            loss = tf.reduce_sum(y**2)
        end = lstm.final_state(inputs, weights, state)
        results.append([loss, end.h, end.c, *tape.gradient(loss, weights)])
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-13)


def test_keeps_no_gradient_of_inputs_that_nobody_wants(layer, inputs):
    columns, weights = tf.transpose(inputs, [1, 0, 2]), weights_of(layer)
    with tf.GradientTape() as tape:
        tape.watch(columns)
        y, _ = lstm.lstm(columns, weights, lstm.zero_state(B, weights))
    assert tape.gradient(y, columns) is None


def test_one_step_equals_a_sequence_of_one(layer, inputs):
    weights = weights_of(layer)
    state = lstm.zero_state(B, weights)
    got = lstm.step(inputs[:, 0], weights, state)
    want = lstm.final_state(inputs[tf.newaxis, :, 0], weights, state)
    np.testing.assert_allclose(got.c, want.c, rtol=1e-12)


def test_refuses_a_cut_at_every_zeroth_step(layer, inputs):
    with pytest.raises(ValueError, match='bptt_steps=0: at least 1'):
        ours(weights_of(layer), inputs, bptt_steps=0)
