"""A readout against its equations; what it is not asked costs nothing; it learns."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import OptimizerConfig
from trainer.models.layers import Initializer
from trainer.models.readout import Readout
from trainer.models.sinusoids import WAVELENGTHS
from trainer.models.step_losses import StepLoss
from trainer.training.optimizers import make_optimizer

UNITS, ROWS = 5, 4
DISTANCES = np.array([1, 3, 40], np.int32)


def make_readout(outputs, loss=None, *, units=UNITS, width=6, dtype=tf.float64):
    return Readout(
        Initializer(seed=2, dtype=dtype),
        'reconstruction',
        hidden_units=units,
        readout_units=width,
        outputs=outputs,
        loss=loss or StepLoss(),
    )


def hidden_states():
    return np.random.default_rng(1).normal(size=[ROWS, UNITS])


def equations(readout, hidden, distances):
    """[R, N, O], one state and one distance at a time."""

    def dense(layer, x):
        return x @ layer.kernel.numpy() + layer.bias.numpy()

    def one(h, d):
        angles = 2 * np.pi * d / np.array(WAVELENGTHS)
        x = np.concatenate([np.sin(angles), np.cos(angles)])
        x = np.maximum(dense(readout.distance_hidden_1, x), 0)
        x = dense(readout.distance_output, np.maximum(dense(readout.distance_hidden_2, x), 0))
        s = dense(readout.state_output, np.maximum(dense(readout.state_hidden, h), 0))
        return dense(readout.output, s * x)

    return np.array([[one(h, int(d)) for d in distances] for h in hidden])


def test_it_says_what_the_equations_say():
    readout, hidden = make_readout(3), hidden_states()
    for variable in readout.trainable_variables:
        if 'bias' in variable.name:
            variable.assign(np.random.default_rng(3).normal(size=variable.shape))
    found = readout(tf.constant(hidden), tf.constant(DISTANCES))
    np.testing.assert_allclose(found, equations(readout, hidden, DISTANCES), rtol=1e-9, atol=1e-12)

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec([None, UNITS], tf.float64), tf.TensorSpec([None], tf.int32)],
    )
    def of_any_number(hidden, distances):
        return readout(hidden, distances)

    np.testing.assert_allclose(of_any_number(hidden[:2], DISTANCES[1:]), found[:2, 1:], rtol=1e-12)


@pytest.mark.parametrize('kind', ['values', 'ids', 'levels'])
def test_losses_are_the_mean_over_what_there_is(kind):
    random, n = np.random.default_rng(4), len(DISTANCES)
    loss = StepLoss(7, (3.0, 0.5)) if kind == 'levels' else StepLoss()
    columns = random.integers(0, 9, [ROWS, n]) if kind == 'ids' else random.random([ROWS, n, 2])
    outputs = {'values': 2, 'ids': 9, 'levels': 14}[kind]
    columns = tf.constant(columns, tf.int32 if kind == 'ids' else tf.float64)
    valid = np.array([[1, 1, 1], [0, 1, 0], [1, 0, 1], [0, 0, 0]], bool)
    readout, hidden = make_readout(outputs, loss), tf.constant(hidden_states())
    of_steps = loss(readout(hidden, DISTANCES), loss.targets(columns)).numpy()
    want = [row[v].mean() if v.any() else 0 for row, v in zip(of_steps, valid, strict=True)]
    found = readout.losses(hidden, DISTANCES, columns, tf.constant(valid))
    np.testing.assert_allclose(found, want, rtol=1e-12)
    said = readout.recall(hidden, DISTANCES, columns.dtype)
    assert (said.shape, said.dtype) == (columns.shape, columns.dtype)


def test_compiled_it_is_the_same():
    readout, hidden = make_readout(2, dtype=tf.float32), tf.constant(hidden_states(), tf.float32)
    columns = tf.constant(np.random.default_rng(5).random([ROWS, 3, 2]), tf.float32)

    def train(hidden):
        valid = tf.constant([[True, True, False]] * ROWS)
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            losses = readout.losses(hidden, tf.constant(DISTANCES), columns, valid)
        return losses, *tape.gradient(losses, [hidden, *readout.trainable_variables])

    compiled = tf.function(train, autograph=False, jit_compile=True)(hidden)
    for got, want in zip(compiled, train(hidden), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_what_the_state_holds_it_learns_to_say():
    """States that are the last values themselves: it has only to pick."""
    steps = 5
    readout = make_readout(1, units=steps, width=32, dtype=tf.float32)
    optimizer = make_optimizer(OptimizerConfig('adam', learning_rate=0.005), phase_steps=400)
    distances = tf.range(1, steps + 1)

    @tf.function(autograph=False)
    def losses_of(past):
        valid = tf.ones_like(past, tf.bool)
        return tf.reduce_mean(readout.losses(past, distances, past[:, :, tf.newaxis], valid))

    @tf.function(autograph=False)
    def train(past):
        with tf.GradientTape() as tape:
            loss = losses_of(past)
        gradients = tape.gradient(loss, readout.trainable_variables)
        optimizer.apply_gradients(zip(gradients, readout.trainable_variables, strict=True))

    random = np.random.default_rng(6)
    for _ in range(400):
        train(tf.constant(random.normal(size=[64, steps]), tf.float32))
    explained = 1 - losses_of(tf.constant(random.normal(size=[500, steps]), tf.float32))
    assert explained > 0.9
