"""Sweep, seek and windows: exact states, and memory that does not grow with the steps."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.bptt import lstm, truncation
from trainer.bptt.lstm import LSTMWeights
from trainer.bptt.sequences import Sequences, gather_columns

B, T, C, U = 3, 17, 2, 4


@pytest.fixture(scope='module')
def weights():
    rng = np.random.default_rng(0)
    shapes = ([C, 4 * U], [U, 4 * U], [4 * U])
    return LSTMWeights(*(tf.constant(rng.normal(size=s)) for s in shapes))


@pytest.fixture(scope='module')
def inputs():
    return tf.constant(np.random.default_rng(1).integers(0, 256, [B, T, C]), tf.uint8)


def state_after(inputs, weights, row, begin, end):
    """The state of one row after columns begin..end-1, read one by one."""
    state = lstm.zero_state(1, weights)
    for t in range(begin, end):
        state = lstm.step(tf.cast(inputs[row : row + 1, t], tf.float64) / 255, weights, state)
    return np.concatenate([state.c, state.h])


STARTS = np.array([[-2, 3, 17], [6, 0, 9], [16, 1, 11]], np.int32)


def check_states(state, inputs, weights, starts, pads):
    """Each window's state against its row, read step by step up to the window's start."""
    windows = starts.shape[1]
    assert state.c.shape == [windows * B, U]
    for row in range(B):
        for w in range(windows):
            got = np.stack([state.c[w * B + row], state.h[w * B + row]])
            want = state_after(inputs, weights, row, pads[row], starts[row, w])
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize('stride_steps', [1, 4, 6, 17, 20])
@pytest.mark.parametrize('padding', [None, [0, 5, 16]])
def test_sweeps_to_the_start_of_each_window(inputs, weights, stride_steps, padding):
    pads = [0] * B if padding is None else padding
    padding = None if padding is None else tf.constant(padding)
    sequences = Sequences(inputs, padding, tf.float64)
    state = truncation.sweep(
        sequences, weights, tf.constant(STARTS), until=T, stride_steps=stride_steps
    )
    check_states(state, inputs, weights, STARTS, pads)


@pytest.mark.parametrize('until', [0, 1, 4, 11, 12])
@pytest.mark.parametrize('stride_steps', [1, 4, 50])
def test_reads_no_further_than_anybody_needs(inputs, weights, until, stride_steps):
    """What lies behind `until` may be anything; every position before it can be a start."""
    spoilt = tf.concat([inputs[:, :until], 255 - inputs[:, until:]], axis=1)
    starts = np.array([range(-1, until + 1)] * B, np.int32)
    state = truncation.sweep(
        Sequences(spoilt, None, tf.float64),
        weights,
        tf.constant(starts),
        until=until,
        stride_steps=stride_steps,
    )
    check_states(state, inputs, weights, starts, [0] * B)


def test_xla_compiles_the_sweep(inputs, weights):
    sequences = Sequences(inputs, tf.constant([0, 5, 16]), tf.float64)

    def end(inputs):
        return truncation.sweep(
            sequences._replace(inputs=inputs),
            weights,
            tf.constant(STARTS),
            until=T,
            stride_steps=4,
        )

    got = tf.function(end, autograph=False, jit_compile=True)(inputs)
    for mine, want in zip(got, end(inputs), strict=True):
        np.testing.assert_allclose(mine, want, rtol=1e-10)


def test_gathers_columns_of_each_row(inputs):
    sequences = Sequences(inputs, None, tf.float64)
    starts = np.array([[0, 5], [2, 3], [10, 14]], np.int32)
    got = gather_columns(sequences, tf.constant(starts), 3).numpy()
    assert got.shape == (3, 2 * B, C)
    for row in range(B):
        for w in range(2):
            want = inputs[row, starts[row, w] : starts[row, w] + 3].numpy() / 255
            np.testing.assert_allclose(got[:, w * B + row], want)


def saved_lists(total_steps: int) -> dict[int, int]:
    """Traces a training step and counts the tensor lists that its loops fill, by their length.

    What a gradient keeps of a loop's steps is a list as long as the loop: this sees it, whatever
    the clock says.
    """
    weights = [tf.Variable(tf.ones(s)) for s in ([C, 4 * U], [U, 4 * U], [4 * U])]
    inputs = tf.zeros([B, total_steps, C], tf.uint8)

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            w = LSTMWeights(*(tf.convert_to_tensor(v) for v in weights))
            sequences = Sequences(inputs, None)
            begin = total_steps - 20
            starts = tf.fill([B, 1], begin)
            start = truncation.sweep(sequences, w, starts, until=begin, stride_steps=25)
            end = truncation.run_to_end(sequences, w, start, starts, steps=20, held=False)
            loss = tf.reduce_sum(end.h)
        return tape.gradient(loss, weights)

    counts = {}
    for graph in all_graphs(train.get_concrete_function().graph):
        for op in graph.get_operations():
            assert op.type != 'EmptyTensorList', 'a list of unknown length: kept by a gradient'
            if op.type == 'TensorListReserve':
                length = int(tf.get_static_value(op.inputs[1]))
                counts[length] = counts.get(length, 0) + 1
    return counts


def all_graphs(graph):
    """A graph and those of all functions that it calls: bodies of loops within loops."""
    yield graph
    for op in graph.get_operations():
        for name in ('body', 'then_branch', 'else_branch', 'f'):
            if name in op.node_def.attr and op.node_def.attr[name].func.name:
                function = graph._get_function(op.node_def.attr[name].func.name)
                inner = getattr(function, 'graph', None)
                if inner is not None:
                    yield from all_graphs(inner)


def test_the_sweep_keeps_nothing_that_grows():
    """The lists of 20 belong to the window: gates, and c and h before each step."""
    assert saved_lists(20 + 25 * 7) == {20: 3}
    assert saved_lists(20 + 25 * 70 + 3) == {20: 3}
