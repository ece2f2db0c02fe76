"""One LSTM over a time-major sequence, with a hand-derived backward pass.

Knows nothing of windows, anchors or losses. Two passes over the same weights:

* `final_state`: no gradient, keeps one state and no per-step activation: memory O(B U).
* `lstm`: with gradient; keeps what its backward pass needs for its own steps only.

Every step is one product: [1, x, h] with bias, kernel and recurrent kernel stacked. Its gradient is
added up step by step as well: on a CPU the operands are still in the cache then, while one large
product at the end would first have to write all gates' gradients to memory and read them back.

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


class _Operands(NamedTuple):
    """What a step multiplies by.

    `stacked`: bias, kernel and recurrent kernel, [1 + D + U, 4U], and `table` None; or, for integer
    inputs, the recurrent kernel alone, and `table` [V, 4U], the bias included.
    """

    stacked: tf.Tensor
    table: tf.Tensor | None


def _operands(weights: LSTMWeights, inputs: tf.Tensor) -> _Operands:
    if inputs.dtype.is_integer:
        return _Operands(weights.recurrent_kernel, weights.kernel + weights.bias)
    rows = [weights.bias[tf.newaxis], weights.kernel, weights.recurrent_kernel]
    return _Operands(tf.concat(rows, axis=0), None)


def _join(x: tf.Tensor, h: tf.Tensor, operands: _Operands) -> tf.Tensor:
    """The left operand of a step's product: [1, x, h], or h alone for integer inputs."""
    if operands.table is not None:
        return h
    return tf.concat([tf.ones_like(x[:, :1]), x, h], axis=1)


def _gates(x: tf.Tensor, joined: tf.Tensor, operands: _Operands) -> tf.Tensor:
    """Pre-activations [B, 4U]."""
    product = tf.matmul(joined, operands.stacked)
    if operands.table is None:
        return product
    return product + tf.gather(operands.table, x)


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
    operands = _operands(weights, inputs)
    new, _ = _cell(_gates(inputs, _join(inputs, state.h, operands), operands), state.c)
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
    operands = _operands(stop_gradient(weights), inputs)
    longest = inputs.shape[0] or tf.shape(inputs)[0]
    steps = longest if last is None else tf.reduce_max(last)

    def active(t: tf.Tensor) -> tf.Tensor | None:
        bounds = ([] if first is None else [t >= first]) + ([] if last is None else [t < last])
        return tf.reduce_all(tf.stack(bounds), axis=0)[:, tf.newaxis] if bounds else None

    def body(t: tf.Tensor, c: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        x = inputs[t]
        new, _ = _cell(_gates(x, _join(x, h, operands), operands), c)
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
    inputs: tf.Tensor,
    weights: LSTMWeights,
    state: LSTMState,
    *,
    first: tf.Tensor | None = None,
    bptt_steps: int | None = None,
    input_gradient: bool = False,
) -> tuple[tf.Tensor, LSTMState]:
    """Reads a sequence with gradient.

    Args:
      inputs: float [T, B, D], or integer [T, B] to pick rows of the kernel; T and B static.
      weights: of the layer.
      state: the state before the first step; gradient flows into it.
      first: int32 [B]; a row's state is held until this step. None: active from the start.
      bptt_steps: if given, no gradient crosses the states before steps bptt_steps, 2 bptt_steps,
        and so on. The forward pass does not change. None: gradient flows through all steps.
      input_gradient: whether gradient flows into float inputs (they come from another layer).

    Returns:
      outputs: [T, B, U], the hidden state after each step.
      state: the state after the last step.
    """
    if bptt_steps is not None and bptt_steps < 1:
        raise ValueError(f'bptt_steps={bptt_steps}: at least 1 is needed; None cuts nowhere.')
    operands = _operands(weights, inputs)
    # Arguments are what gets a gradient; what nobody wants is not computed.
    sources = [inputs] if input_gradient else []
    if operands.table is not None:
        sources = [operands.table]
    inputs = tf.stop_gradient(inputs)

    @tf.custom_gradient
    def scan(stacked: tf.Tensor, c: tf.Tensor, h: tf.Tensor, *sources: tf.Tensor) -> tuple:
        table = None if operands.table is None else sources[0]
        here = _Operands(stacked, table)
        outputs, end, saved = _forward(inputs, here, LSTMState(c, h), first)

        def backward(d_outputs: tf.Tensor, d_c: tf.Tensor, d_h: tf.Tensor) -> tuple:
            d_stacked, d_state, d_sources = _backward(
                d_outputs,
                LSTMState(d_c, d_h),
                inputs,
                here,
                saved,
                first=first,
                bptt_steps=bptt_steps,
                input_gradient=input_gradient,
            )
            return d_stacked, *d_state, *d_sources

        return (outputs, *end), backward

    outputs, c, h = scan(operands.stacked, *state, *sources)
    return outputs, LSTMState(c, h)


class _Saved(NamedTuple):
    """TensorArrays over time: each step's activations, and the state before it."""

    activations: _Activations
    before: LSTMState


def _array(steps: int, like: tf.Tensor, width: int) -> tf.TensorArray:
    # A scan that indexed one big tensor would build its gradient in quadratic time.
    return tf.TensorArray(
        like.dtype, steps, element_shape=[like.shape[0], width], clear_after_read=False
    )


def _write(arrays: NamedTuple, t: tf.Tensor, values: NamedTuple) -> NamedTuple:
    return type(arrays)(*(a.write(t, v) for a, v in zip(arrays, values, strict=True)))


def _forward(
    inputs: tf.Tensor, operands: _Operands, state: LSTMState, first: tf.Tensor | None
) -> tuple[tf.Tensor, LSTMState, _Saved]:
    steps, units = inputs.shape[0], state.c.shape[1]
    saved = _Saved(
        _Activations(*(_array(steps, state.c, units) for _ in _Activations._fields)),
        LSTMState(*(_array(steps, state.c, units) for _ in LSTMState._fields)),
    )

    def body(t: tf.Tensor, state: LSTMState, saved: _Saved, outputs: tf.TensorArray) -> tuple:
        x = inputs[t]
        new, activations = _cell(_gates(x, _join(x, state.h, operands), operands), state.c)
        saved = _Saved(_write(saved.activations, t, activations), _write(saved.before, t, state))
        state = _hold(None if first is None else (t >= first)[:, tf.newaxis], new, state)
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
    inputs: tf.Tensor,
    operands: _Operands,
    saved: _Saved,
    *,
    first: tf.Tensor | None,
    bptt_steps: int | None,
    input_gradient: bool,
) -> tuple[tf.Tensor, LSTMState, list[tf.Tensor]]:
    """Gradients of the stacked weights, of the first state, and of the table or the inputs."""
    steps, units = inputs.shape[0], d_state.c.shape[1]
    tokens = operands.table is not None
    kept = []
    if tokens or input_gradient:
        kept.append(_array(steps, d_state.c, 4 * units if tokens else inputs.shape[-1]))
    # Transposed once: a product with a transposed operand is more than twice as slow in each step.
    # Without the rows of the bias and, unless somebody wants their gradient, of the inputs.
    skip = 0 if tokens else 1 + (0 if input_gradient else inputs.shape[-1])
    transposed = tf.transpose(operands.stacked[skip:])

    def body(k: tf.Tensor, d: LSTMState, d_stacked: tf.Tensor, kept: list[tf.TensorArray]) -> tuple:
        t = steps - 1 - k
        before = LSTMState(*(array.read(t) for array in saved.before))
        activations = _Activations(*(array.read(t) for array in saved.activations))
        d = LSTMState(d.c, d.h + d_outputs[t])
        d_gates, d_c = _cell_backward(d, activations, before.c)
        active = None if first is None else (t >= first)[:, tf.newaxis]
        if active is not None:
            d_gates = tf.where(active, d_gates, tf.zeros_like(d_gates))
        joined = _join(inputs[t], before.h, operands)
        d_stacked += tf.matmul(joined, d_gates, transpose_a=True)
        d_joined = tf.matmul(d_gates, transposed)
        kept = [a.write(t, d_gates if tokens else d_joined[:, :-units]) for a in kept]
        d = _hold(active, LSTMState(d_c, d_joined[:, -units:]), d)
        return k + 1, _cut(d, t, bptt_steps), d_stacked, kept

    zeros = tf.zeros_like(operands.stacked)
    _, d_state, d_stacked, kept = tf.while_loop(
        lambda k, *_: k < steps,
        body,
        (tf.constant(0), d_state, zeros, kept),
        parallel_iterations=1,
        maximum_iterations=steps,
    )
    d_sources = [array.stack() for array in kept]
    if tokens:
        rows = operands.table.shape[0]
        d_sources = [tf.math.unsorted_segment_sum(d, inputs, rows) for d in d_sources]
    return d_stacked, d_state, d_sources


def _cut(d: LSTMState, t: tf.Tensor, bptt_steps: int | None) -> LSTMState:
    """Stops the gradient of the state before step t where a cut lies: at multiples of bptt_steps.

    Not at 0: whether gradient reaches the first state is the caller's decision.
    """
    if bptt_steps is None:
        return d
    cut = tf.logical_and(t > 0, tf.equal(t % bptt_steps, 0))
    keep = tf.cast(tf.logical_not(cut), d.c.dtype)
    return LSTMState(d.c * keep, d.h * keep)
