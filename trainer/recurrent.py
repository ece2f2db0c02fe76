"""One LSTM over a time-major sequence, with a hand-derived backward pass.

Knows nothing of windows, anchors or losses. Two passes over the same weights:

* `final_state`: no gradient, keeps one state and no per-step activation: memory O(B U).
* `lstm`: with gradient; keeps what its backward pass needs for its own steps only.

Gate order is Keras's: i, f, c (candidate), o. Source: Hochreiter and Schmidhuber 1997 with the
forget gate of Gers et al. 2000; Trinh et al. 2018, section 4.
"""

from typing import NamedTuple

import tensorflow as tf


class LSTMState(NamedTuple):
    """State of one LSTM layer: `c` and `h`, each [B, U]."""

    c: tf.Tensor
    h: tf.Tensor


class LSTMWeights(NamedTuple):
    """Weights of one LSTM layer.

    `kernel` is [D, 4U] for float inputs [T, B, D], or a table [V, 4U] whose rows are picked by
    integer inputs [T, B]; `recurrent_kernel` is [U, 4U]; `bias` is [4U].
    """

    kernel: tf.Tensor
    recurrent_kernel: tf.Tensor
    bias: tf.Tensor


def zero_state(batch_size: int | tf.Tensor, weights: LSTMWeights) -> LSTMState:
    """Returns the state before the first step: zeros [batch_size, U] for c and for h."""
    units = weights.recurrent_kernel.shape[0]
    zeros = tf.zeros([batch_size, units], weights.recurrent_kernel.dtype)
    return LSTMState(zeros, zeros)


def stop_gradient(nest: NamedTuple) -> NamedTuple:
    """Returns the same state or weights, through which no gradient flows."""
    return tf.nest.map_structure(tf.stop_gradient, nest)


def input_gates(inputs: tf.Tensor, weights: LSTMWeights) -> tf.Tensor:
    """Projects all inputs at once, as one large product (or one gather).

    Args:
      inputs: float [T, B, D], or integer [T, B] to pick rows of the kernel.
      weights: of the layer.

    Returns:
      [T, B, 4U], the part of each gate's pre-activation that comes from the input and the bias.
    """
    if inputs.dtype.is_integer:
        return tf.gather(weights.kernel + weights.bias, inputs)
    flat = tf.reshape(inputs, [-1, inputs.shape[-1]])
    gates = tf.matmul(flat, weights.kernel) + weights.bias
    units4 = weights.kernel.shape[1]
    return tf.ensure_shape(
        tf.reshape(gates, [-1, tf.shape(inputs)[1], units4]),
        [inputs.shape[0], inputs.shape[1], units4],
    )


class _Activations(NamedTuple):
    """What one step's backward pass needs, each [B, U]."""

    i: tf.Tensor
    f: tf.Tensor
    g: tf.Tensor
    o: tf.Tensor
    tanh_c: tf.Tensor


def _cell(gates: tf.Tensor, c: tf.Tensor) -> tuple[LSTMState, _Activations]:
    """One LSTM step from pre-activations [B, 4U] and the cell state [B, U]."""
    units = c.shape[-1]
    i_f, candidate, output = tf.split(gates, [2 * units, units, units], axis=-1)
    # One call for two gates: fewer, larger element-wise operations.
    i, f = tf.split(tf.sigmoid(i_f), 2, axis=-1)
    g, o = tf.tanh(candidate), tf.sigmoid(output)
    c = f * c + i * g
    tanh_c = tf.tanh(c)
    return LSTMState(c, o * tanh_c), _Activations(i, f, g, o, tanh_c)


def _hold(active: tf.Tensor | None, new: LSTMState, old: LSTMState) -> LSTMState:
    """Keeps the old state of the rows that are not active; `active` is bool [B, 1] or None."""
    if active is None:
        return new
    return LSTMState(*(tf.where(active, n, o) for n, o in zip(new, old, strict=True)))


def step(inputs: tf.Tensor, weights: LSTMWeights, state: LSTMState) -> LSTMState:
    """Reads one step: inputs float [B, D] or integer [B]; differentiable by TensorFlow itself."""
    gates = input_gates(inputs[tf.newaxis], weights)[0]
    new, _ = _cell(gates + tf.matmul(state.h, weights.recurrent_kernel), state.c)
    return new


def final_state(
    inputs: tf.Tensor,
    weights: LSTMWeights,
    state: LSTMState,
    *,
    first: tf.Tensor | None = None,
    last: tf.Tensor | None = None,
) -> LSTMState:
    """Reads a sequence without gradient and keeps nothing but the state.

    Args:
      inputs: float [T, B, D] or integer [T, B]; T and B may be dynamic.
      weights: of the layer.
      state: the state before the first step.
      first: int32 [B]; a row's state is held until this step. None: active from the start.
      last: int32 [B]; a row's state is held from this step on (T or less). None: all T steps.

    Returns:
      The state after the last step of each row, with no gradient.
    """
    kernel, recurrent_kernel, bias = stop_gradient(weights)
    tokens = inputs.dtype.is_integer
    # Fused, the input costs a few more rows of the one product that every step needs anyway.
    table = kernel + bias if tokens else tf.concat([kernel, recurrent_kernel], axis=0)
    longest = inputs.shape[0] or tf.shape(inputs)[0]
    steps = longest if last is None else tf.reduce_max(last)

    def active(t: tf.Tensor) -> tf.Tensor | None:
        bounds = ([] if first is None else [t >= first]) + ([] if last is None else [t < last])
        return tf.reduce_all(tf.stack(bounds), axis=0)[:, tf.newaxis] if bounds else None

    def body(t: tf.Tensor, c: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        if tokens:
            gates = tf.gather(table, inputs[t]) + tf.matmul(h, recurrent_kernel)
        else:
            gates = tf.matmul(tf.concat([inputs[t], h], axis=1), table) + bias
        new, _ = _cell(gates, c)
        return t + 1, *_hold(active(t), new, LSTMState(c, h))

    _, c, h = tf.while_loop(
        lambda t, *_: t < steps,
        body,
        (tf.constant(0), *stop_gradient(state)),
        parallel_iterations=1,
        maximum_iterations=longest,
    )
    return stop_gradient(LSTMState(c, h))


def lstm(
    gates: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    state: LSTMState,
    *,
    first: tf.Tensor | None = None,
    bptt_steps: int | None = None,
) -> tuple[tf.Tensor, LSTMState]:
    """Reads a sequence with gradient.

    Args:
      gates: [T, B, 4U] from `input_gates`; T static.
      recurrent_kernel: [U, 4U].
      state: the state before the first step; gradient flows into it.
      first: int32 [B]; a row's state is held until this step. None: active from the start.
      bptt_steps: if given, no gradient crosses the states before steps bptt_steps, 2 bptt_steps, ...
        The forward pass does not change. None: gradient flows through all steps.

    Returns:
      outputs: [T, B, U], the hidden state after each step.
      state: the state after the last step.
    """
    if bptt_steps is not None and bptt_steps < 1:
        raise ValueError(f'bptt_steps={bptt_steps}: at least 1 is needed; None cuts nowhere.')

    @tf.custom_gradient
    def scan(gates: tf.Tensor, kernel: tf.Tensor, c: tf.Tensor, h: tf.Tensor) -> tuple:
        outputs, end, saved = _forward(gates, kernel, LSTMState(c, h), first)

        def backward(d_outputs: tf.Tensor, d_c: tf.Tensor, d_h: tf.Tensor) -> tuple:
            d_gates, d_state = _backward(
                d_outputs, LSTMState(d_c, d_h), kernel, saved, first=first, bptt_steps=bptt_steps
            )
            before = tf.concat([h[tf.newaxis], outputs[:-1]], axis=0)
            # One large product instead of a small one and an addition per step.
            d_kernel = tf.matmul(
                tf.reshape(before, [-1, before.shape[-1]]),
                tf.reshape(d_gates, [-1, gates.shape[-1]]),
                transpose_a=True,
            )
            return d_gates, d_kernel, *d_state

        return (outputs, *end), backward

    outputs, c, h = scan(gates, recurrent_kernel, *state)
    return outputs, LSTMState(c, h)


class _Saved(NamedTuple):
    """TensorArrays over time: the activations of each step and the cell state before it."""

    activations: _Activations
    c_before: tf.TensorArray


def _array(steps: int, like: tf.Tensor, units: int) -> tf.TensorArray:
    # A scan that indexed one big tensor would build its gradient in quadratic time.
    return tf.TensorArray(
        like.dtype, steps, element_shape=[like.shape[0], units], clear_after_read=False
    )


def _forward(
    gates: tf.Tensor, kernel: tf.Tensor, state: LSTMState, first: tf.Tensor | None
) -> tuple[tf.Tensor, LSTMState, _Saved]:
    steps, units = gates.shape[0], kernel.shape[0]
    saved = _Saved(
        _Activations(*(_array(steps, state.c, units) for _ in _Activations._fields)),
        _array(steps, state.c, units),
    )

    def body(t: tf.Tensor, state: LSTMState, saved: _Saved, outputs: tf.TensorArray) -> tuple:
        new, activations = _cell(gates[t] + tf.matmul(state.h, kernel), state.c)
        saved = _Saved(
            _Activations(
                *(a.write(t, v) for a, v in zip(saved.activations, activations, strict=True))
            ),
            saved.c_before.write(t, state.c),
        )
        active = None if first is None else (t >= first)[:, tf.newaxis]
        state = _hold(active, new, state)
        return t + 1, state, saved, outputs.write(t, state.h)

    _, state, saved, outputs = tf.while_loop(
        lambda t, *_: t < steps,
        body,
        (tf.constant(0), state, saved, _array(steps, state.h, units)),
        parallel_iterations=1,
        maximum_iterations=steps,
    )
    return outputs.stack(), state, saved


def _cell_backward(
    d: LSTMState, a: _Activations, c_before: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Backward of `_cell`: returns d_gates [B, 4U] and d_c of the state before the step."""
    d_ho = d.h * a.o
    d_c = d.c + d_ho - d_ho * a.tanh_c * a.tanh_c
    d_gates = tf.concat(
        [
            d_c * a.g * (a.i - a.i * a.i),
            d_c * c_before * (a.f - a.f * a.f),
            d_c * a.i * (1 - a.g * a.g),
            d_ho * a.tanh_c * (1 - a.o),
        ],
        axis=-1,
    )
    return d_gates, d_c * a.f


def _backward(
    d_outputs: tf.Tensor,
    d_state: LSTMState,
    kernel: tf.Tensor,
    saved: _Saved,
    *,
    first: tf.Tensor | None,
    bptt_steps: int | None,
) -> tuple[tf.Tensor, LSTMState]:
    steps, units = d_outputs.shape[0], kernel.shape[0]
    # Once, not in every step: a product with a transposed operand is more than twice as slow.
    transposed = tf.transpose(kernel)

    def body(k: tf.Tensor, d: LSTMState, d_gates: tf.TensorArray) -> tuple:
        t = steps - 1 - k
        d = LSTMState(d.c, d.h + d_outputs[t])
        activations = _Activations(*(array.read(t) for array in saved.activations))
        step_gates, d_c = _cell_backward(d, activations, saved.c_before.read(t))
        if first is not None:
            active = (t >= first)[:, tf.newaxis]
            step_gates = tf.where(active, step_gates, tf.zeros_like(step_gates))
        new = LSTMState(d_c, tf.matmul(step_gates, transposed))
        d = new if first is None else _hold(active, new, d)
        if bptt_steps is not None and bptt_steps < steps:
            # The state before step t is a cut: t > 0, since the caller decides about the first.
            cut = tf.logical_and(t > 0, tf.equal(t % bptt_steps, 0))
            keep = tf.cast(tf.logical_not(cut), kernel.dtype)
            d = LSTMState(d.c * keep, d.h * keep)
        return k + 1, d, d_gates.write(t, step_gates)

    _, d_state, d_gates = tf.while_loop(
        lambda k, *_: k < steps,
        body,
        (tf.constant(0), d_state, _array(steps, d_state.c, 4 * units)),
        parallel_iterations=1,
        maximum_iterations=steps,
    )
    return d_gates.stack(), d_state
