"""The LSTM as one cuDNN call per sequence, on the weights of `trainer.bptt.cell`.

The op runs on GPUs only: on other devices, a graph that contains it can be built but not run. No
exported model contains it.
"""

import itertools

import tensorflow as tf

from trainer.bptt.cell import LSTMState, LSTMWeights, multiplies_in, stop_gradient

# Each piece between two cuts is one call; the graph grows with the number of pieces.
_MOST_PIECES = 64


def hindrance(
    inputs: tf.Tensor, weights: LSTMWeights, *, held: bool, bptt_steps: int | None
) -> str | None:
    """Why cuDNN cannot read a sequence; None if it can.

    Args:
      inputs: as in `lstm`.
      weights: of the layer.
      held: whether a row's state is held in some of the steps.
      bptt_steps: steps between two cuts of the gradient. None: no cut.
    """
    if (products := multiplies_in()) is not None:
        return f'it does not multiply in {products.name} beside float32 states'
    if weights.kernel.dtype != tf.float32:
        return f'it does not compute in {weights.kernel.dtype.name}'
    if held:
        return 'some rows are shorter than others, or start elsewhere'
    if bptt_steps is None:
        return None
    steps = inputs.shape[0]
    if steps is None or steps > bptt_steps * _MOST_PIECES:
        return f'more than {_MOST_PIECES} pieces between cuts of {bptt_steps} steps'
    return None


def parameters(weights: LSTMWeights) -> tf.Tensor:
    """The weights as cuDNN's flat vector, [4 U (D + U + 2)].

    The order is: the input matrices of i, f, c, o, each transposed and stored row by row; the
    recurrent matrices in the same way; two biases for each gate. The first bias is the layer's, the
    second is zero. Source: NVIDIA's cuDNN API, cudnnGetRNNWeightParams, for CUDNN_LSTM with
    CUDNN_LINEAR_INPUT.
    """
    matrices = [
        tf.reshape(tf.transpose(gate), [-1])
        for kernel in (weights.kernel, weights.recurrent_kernel)
        for gate in tf.split(kernel, 4, axis=1)
    ]
    return tf.concat([*matrices, weights.bias, tf.zeros_like(weights.bias)], axis=0)


def lstm(
    inputs: tf.Tensor,
    weights: LSTMWeights,
    state: LSTMState,
    *,
    bptt_steps: int | None = None,
) -> tuple[tf.Tensor, LSTMState]:
    """Reads a sequence with gradient, see `trainer.bptt.lstm.lstm`.

    Args:
      inputs: float [T, B, D], or integer [T, B] to pick rows of the kernel.
      weights: of the layer.
      state: the state before the first step.
      bptt_steps: steps between two cuts of the gradient; it needs a static T. None: no cut.

    Returns:
      outputs: [T, B, U].
      state: the state after the last step.
    """
    if inputs.dtype.is_integer:
        inputs = tf.one_hot(inputs, weights.kernel.shape[0], dtype=weights.kernel.dtype)
    flat = parameters(weights)
    if bptt_steps is None:
        return _call(inputs, flat, state)
    cuts = [*range(0, inputs.shape[0], bptt_steps), inputs.shape[0]]
    outputs = []
    for begin, end in itertools.pairwise(cuts):
        state = stop_gradient(state) if begin else state
        piece, state = _call(inputs[begin:end], flat, state)
        outputs.append(piece)
    return tf.concat(outputs, axis=0), state


def _call(inputs: tf.Tensor, flat: tf.Tensor, state: LSTMState) -> tuple[tf.Tensor, LSTMState]:
    found = tf.raw_ops.CudnnRNN(
        input=inputs,
        input_h=state.h[tf.newaxis],
        input_c=state.c[tf.newaxis],
        params=flat,
        rnn_mode='lstm',
        # With False, the op would keep nothing for its gradient.
        is_training=True,
    )
    units = state.h.shape[1]
    outputs = tf.ensure_shape(found.output, [*inputs.shape[:2], units])
    return outputs, LSTMState(found.output_c[0], found.output_h[0])
