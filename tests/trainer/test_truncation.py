"""Sweep, seek and windows: exact states, and memory that does not grow with the steps."""

import numpy as np
import pytest
import tensorflow as tf

from trainer import recurrent, truncation
from trainer.recurrent import LSTMWeights
from trainer.truncation import Sequences

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
    state = recurrent.zero_state(1, weights)
    for t in range(begin, end):
        state = recurrent.step(tf.cast(inputs[row : row + 1, t], tf.float64) / 255, weights, state)
    return np.concatenate([state.c, state.h])


@pytest.mark.parametrize(
    ('total', 'segment', 'want'),
    [
        (10, 3, (0, 1, 4, 7, 10)),
        (9, 3, (0, 3, 6, 9)),
        (3, 5, (0, 3)),
        (5, 5, (0, 5)),
        (1, 1, (0, 1)),
    ],
)
def test_segments_are_cut_from_the_end(total, segment, want):
    assert truncation.segment_boundaries(total, segment) == want


@pytest.mark.parametrize('segment_steps', [1, 4, 6, 17, 20])
@pytest.mark.parametrize('padding', [None, [0, 5, 16]])
def test_states_at_boundaries_and_at_any_start(inputs, weights, segment_steps, padding):
    pads = [0] * B if padding is None else padding
    padding = None if padding is None else tf.constant(padding)
    sequences = Sequences(inputs, padding, tf.float64)
    states = truncation.sweep(sequences, weights, segment_steps=segment_steps, until=T)
    for k, position in enumerate(states.boundaries):
        for row in range(B):
            got = np.stack([states.c[k, row], states.h[k, row]])
            want = state_after(inputs, weights, row, pads[row], position)
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-14)
    starts = np.array([[-2, 3, 17], [6, 0, 9], [16, 1, 11]], np.int32)
    found = truncation.seek(sequences, weights, states, tf.constant(starts))
    for row in range(B):
        for w in range(3):
            got = np.stack([found.c[w * B + row], found.h[w * B + row]])
            want = state_after(inputs, weights, row, pads[row], starts[row, w])
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-14)


def test_xla_compiles_the_sweep(inputs, weights):
    sequences = Sequences(inputs, tf.constant([0, 5, 16]), tf.float64)

    def end(inputs):
        states = truncation.sweep(
            sequences._replace(inputs=inputs), weights, segment_steps=4, until=T
        )
        return states.c, states.h

    got = tf.function(end, autograph=False, jit_compile=True)(inputs)
    np.testing.assert_allclose(got, end(inputs), rtol=1e-10)


@pytest.mark.parametrize('until', [0, 3, 11])
def test_reads_no_further_than_anybody_needs(inputs, weights, until):
    sequences = Sequences(inputs, None, tf.float64)
    states = truncation.sweep(sequences, weights, segment_steps=4, until=until)
    assert states.boundaries[-1] <= until
    got = truncation.state_at(sequences, weights, states, until)
    for row in range(B):
        want = state_after(inputs, weights, row, 0, until)
        np.testing.assert_allclose(np.stack([got.c[row], got.h[row]]), want, rtol=1e-10)


def test_gathers_columns_of_each_row(inputs):
    sequences = Sequences(inputs, None, tf.float64)
    starts = np.array([[0, 5], [2, 3], [10, 14]], np.int32)
    got = truncation.gather_columns(sequences, tf.constant(starts), 3).numpy()
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
            states = truncation.sweep(sequences, w, segment_steps=25, until=begin)
            start = truncation.state_at(sequences, w, states, begin)
            starts = tf.fill([B, 1], begin)
            _, end = truncation.run(sequences, w, start, starts, steps=20, held=False)
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


def test_the_sweep_keeps_no_step():
    """Lists of 20 belong to the window, those of the number of segments to the kept states."""
    short, long = saved_lists(20 + 25 * 7), saved_lists(20 + 25 * 70)
    # 8 in the window's forward pass: 5 activations, c and h before, outputs.
    assert short == {20: 8, 6: 2}
    assert long == {20: 8, 69: 2}
