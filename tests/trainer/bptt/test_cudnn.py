"""The cuDNN path: what can be known of it without a GPU.

Its op exists for GPUs alone. So the flat weights are checked against tf_keras's own, and by reading
them as NVIDIA describes them; of the graph it is checked which sequences go through the op.
"""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
import xla_step
from tf_keras.src.layers.rnn import gru_lstm_utils

from trainer.bptt import cudnn, lstm
from trainer.bptt.lstm import LSTMState, LSTMWeights
from trainer.config import (
    Config,
    DataConfig,
    ModelConfig,
    ObjectiveConfig,
    OptimizerConfig,
    RunConfig,
)
from trainer.devices.execution import choose
from trainer.training.task import LonghaulTask

T, B, D, U = 12, 3, 2, 5


def make_weights(rows=D, dtype='float32'):
    rng = np.random.default_rng(0)
    shapes = ([rows, 4 * U], [U, 4 * U], [4 * U])
    return LSTMWeights(*(tf.constant(rng.normal(size=s), dtype) for s in shapes))


def read_as_nvidia_describes(flat, inputs):
    """Eight matrices (input then recurrent; i, f, c, o), eight biases; y = W x + b."""
    parts, at = [], 0
    for shape in [[U, D]] * 4 + [[U, U]] * 4 + [[U]] * 8:
        size = int(np.prod(shape))
        parts.append(flat[at : at + size].reshape(shape))
        at += size
    assert at == len(flat)
    w, r, b_w, b_r = (parts[k : k + 4] for k in (0, 4, 8, 12))
    c = h = np.zeros([B, U])
    for x in inputs:
        i, f, g, o = (x @ w[k].T + h @ r[k].T + b_w[k] + b_r[k] for k in range(4))
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    return c, h


def test_flat_weights_are_those_of_tf_keras():
    weights = make_weights()
    want = gru_lstm_utils.canonical_to_params(
        weights=[*tf.split(weights.kernel, 4, 1), *tf.split(weights.recurrent_kernel, 4, 1)],
        biases=tf.split(tf.concat([weights.bias, tf.zeros([4 * U])], 0), 8),
        shape=tf.constant([-1]),
        transpose_weights=True,
    )
    np.testing.assert_array_equal(cudnn.parameters(weights), want)


def test_flat_weights_give_the_scan_s_states():
    weights = make_weights()
    inputs = np.random.default_rng(1).normal(size=[T, B, D]).astype(np.float32)
    c, h = read_as_nvidia_describes(cudnn.parameters(weights).numpy(), inputs)
    want = lstm.final_state(tf.constant(inputs), weights, lstm.zero_state(B, weights))
    np.testing.assert_allclose(c, want.c, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(h, want.h, rtol=1e-4, atol=1e-5)


def calls(function, *specs) -> list[tuple[list[int], list[int]]]:
    """Shapes of inputs and weights of each cuDNN call in the graph."""
    with lstm.cudnn_where_it_can():
        graph = tf.function(function, autograph=False).get_concrete_function(*specs).graph
    ops = [op for op in graph.get_operations() if op.type == 'CudnnRNN']
    return [(op.inputs[0].shape.as_list(), op.inputs[3].shape.as_list()) for op in ops]


def spec(*shape, dtype=tf.float32):
    return tf.TensorSpec(shape, dtype)


PARAMETERS = 4 * U * (D + U + 2)


def test_a_sequence_is_one_call():
    weights = make_weights()
    state = lstm.zero_state(B, weights)
    for read in (lstm.lstm, lstm.final_state, lstm.end_state):
        found = calls(lambda x, read=read: read(x, weights, state), spec(T, B, D))
        assert found == [([T, B, D], [PARAMETERS])]


def test_cuts_lie_between_calls():
    weights = make_weights()
    state = lstm.zero_state(B, weights)
    found = calls(lambda x: lstm.lstm(x, weights, state, bptt_steps=5), spec(T, B, D))
    assert [shape[0] for shape, _ in found] == [5, 5, 2]


def test_ids_become_one_hot_rows():
    weights = make_weights(rows=7)
    state = lstm.zero_state(B, weights)
    found = calls(lambda x: lstm.lstm(x, weights, state)[0], spec(T, B, dtype=tf.int32))
    assert found == [([T, B, 7], [4 * U * (7 + U + 2)])]


def test_the_gradient_is_cudnn_s_own_and_reaches_weights_and_state():
    weights = make_weights()

    def gradient(x, c, h):
        with tf.GradientTape() as tape:
            tape.watch([*weights, c, h])
            end = lstm.end_state(x, weights, LSTMState(c, h))
            loss = tf.reduce_sum(end.h)
        return tape.gradient(loss, [*weights, c, h])

    with lstm.cudnn_where_it_can():
        function = tf.function(gradient, autograph=False).get_concrete_function(
            spec(T, B, D), spec(B, U), spec(B, U)
        )
    types = {op.type for op in function.graph.get_operations()}
    assert 'CudnnRNNBackprop' in types
    assert [s.shape for s in function.structured_outputs] == [
        *(w.shape for w in weights),
        [B, U],
        [B, U],
    ]


@pytest.mark.parametrize(
    ('options', 'dtype'),
    [
        ({'first': [0, 1, 2]}, 'float32'),
        ({'bptt_steps': 1}, 'float64'),
        ({}, 'float64'),
    ],
)
def test_what_cudnn_cannot_is_read_by_the_scan(options, dtype):
    weights = make_weights(dtype=dtype)
    state = lstm.zero_state(B, weights)
    inputs = tf.ones([T, B, D], dtype)
    with lstm.cudnn_where_it_can():
        got = lstm.lstm(inputs, weights, state, **options)[0]
    want = lstm.lstm(inputs, weights, state, **options)[0]
    np.testing.assert_array_equal(got, want)


def test_a_whole_step_on_the_cudnn_path_reads_by_cudnn():
    """Sweep, windows, decoder and predictor; what is held (the seek of a few steps) does not."""
    config = Config(
        ModelConfig(hidden_units=U, embedding_units=U, head_units=U),
        ObjectiveConfig(
            supervised_bptt_steps=10,
            auxiliary_bptt_steps=10,
            auxiliary_steps=16,
            reconstruction_weight=1.0,
            prediction_weight=1.0,
        ),
        DataConfig(kind='image', batch_size=2),
        OptimizerConfig(),
        RunConfig(path='cudnn'),
    )
    info = xla_step.make_info(config, segment_steps=20, side=8)
    execution = choose(config, tpu=False, gpu=True, cores=2)
    task = LonghaulTask(config, info, execution=execution)
    model, inputs = task.build_model(), xla_step.make_inputs(config, info)
    step = tf.constant(0, tf.int64)
    function = tf.function(lambda x: task.gradients(x, model, step)[1], autograph=False)
    graph = function.get_concrete_function(inputs).graph.as_graph_def()
    counts = [Counter(n.op for n in f.node_def) for f in graph.library.function]
    step, *others = sorted(counts, key=lambda count: -count['CudnnRNN'])
    # In the loop of the sweep's strides; the function of a part holds the others.
    assert any(count['CudnnRNN'] for count in others)
    # The sweep's short stride; windows of 10 steps; the decoder's two layers; p: 10 + 6 steps of
    # the main LSTM and as many of the predictor's.
    assert step['CudnnRNN'] == 1 + 1 + 2 + 2 + 2
    assert step['CudnnRNNBackprop'] == step['CudnnRNN'] - 1


def test_too_many_pieces_are_read_by_the_scan():
    reason = cudnn.hindrance(tf.zeros([65, B, D]), make_weights(), held=False, bptt_steps=1)
    assert 'more than 64 pieces between cuts of 1 steps' in reason
    assert cudnn.hindrance(tf.zeros([64, B, D]), make_weights(), held=False, bptt_steps=1) is None
