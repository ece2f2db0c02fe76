"""The LSTM as a loop over time-major sequences, with a hand-derived backward pass.

Two passes over the same weights:

* `final_state`: no gradient, keeps one state and no per-step activation: memory O(B U).
* `read`: with gradient; keeps what its backward pass needs for its own steps only: the four gates,
  c before the step and h after it, 6 U numbers a row.

The weights' gradient is added up step by step, while a CPU still has the operands in its cache. One
large product at the end would first have to write the gradients of all gates to memory and read
them back.

Loops are written for XLA: shapes are static, and a list is either written or read in a loop, never
both, since XLA would copy the whole list in every step.
"""

from typing import NamedTuple

import tensorflow as tf

from trainer.bptt.cell import (
    LSTMState,
    LSTMWeights,
    Operands,
    cell,
    cell_backward,
    hold,
    join,
    make_operands,
    multiplies_in,
    pre_activations,
    product,
    products_in,
    stop_gradient,
)
from trainer.bptt.for_steps import for_steps


def final_state(
    inputs: tf.Tensor,
    weights: LSTMWeights,
    state: LSTMState,
    *,
    first: tf.Tensor | None = None,
    last: tf.Tensor | None = None,
) -> LSTMState:
    """See `trainer.bptt.lstm.final_state`; weights and state bring no gradient."""
    operands = make_operands(weights, inputs)
    longest = inputs.shape[0] or tf.shape(inputs)[0]
    steps = longest if last is None else tf.reduce_max(last)

    def active(t: tf.Tensor) -> tf.Tensor | None:
        """Which rows read step t, bool [B, 1]; None: all."""
        bounds = ([] if first is None else [t >= first]) + ([] if last is None else [t < last])
        return tf.reduce_all(tf.stack(bounds), axis=0)[:, tf.newaxis] if bounds else None

    def advance(t: tf.Tensor, state: LSTMState) -> tuple[LSTMState]:
        """Reads step t."""
        x = inputs[t]
        new, _ = cell(pre_activations(x, join(x, state.h, operands), operands), state.c)
        return (hold(active(t), new, state),)

    (state,) = for_steps(steps, advance, state, longest=longest)
    return stop_gradient(state)


class Options(NamedTuple):
    """How a sequence is read, see `trainer.bptt.lstm.lstm`.

    `outputs`: whether the hidden state after each step is wanted.
    """

    first: tf.Tensor | None
    bptt_steps: int | None
    input_gradient: bool
    outputs: bool


def read(
    inputs: tf.Tensor, weights: LSTMWeights, state: LSTMState, *, options: Options
) -> tuple[tf.Tensor, ...]:
    """Reads a sequence: ([outputs,] c, h), with the gradients that `_backward` gives.

    Args:
      inputs: float [T, B, D] or integer [T, B]; T and B static.
      weights: of the layer.
      state: the state before the first step.
      options: see `Options`.

    Returns:
      outputs [T, B, U] if `options.outputs` is set, and c and h [B, U] after the last step.
    """
    operands, products = make_operands(weights, inputs), multiplies_in()
    # `scan` gives a gradient for each of its arguments: inputs are one only if theirs is wanted.
    sources = [inputs] if options.input_gradient else []
    if operands.table is not None:
        sources = [operands.table]
    inputs = tf.stop_gradient(inputs)

    @tf.custom_gradient
    def scan(stacked: tf.Tensor, c: tf.Tensor, h: tf.Tensor, *sources: tf.Tensor) -> tuple:
        """The forward pass, and the function that takes gradients back through it."""
        table = None if operands.table is None else sources[0]
        here = Operands(stacked, table)
        end, saved = _forward(inputs, here, LSTMState(c, h), options.first)

        def backward(*d: tf.Tensor) -> tuple:
            """Gradients of the results -> gradients of the arguments."""
            # A caller that gathers some of the outputs gives IndexedSlices.
            *d_outputs, d_c, d_h = map(tf.convert_to_tensor, d)
            # A caller may ask for gradients outside of the context of the losses.
            with products_in(products):
                return _backward(d_outputs, LSTMState(d_c, d_h), inputs, here, saved, options)

        outputs = [saved.h.stack()] if options.outputs else []
        return (*outputs, *end), backward

    return scan(operands.stacked, *state, *sources)


class _Saved(NamedTuple):
    """What the backward pass needs of each step: its gates, c before it, and h after it.

    TensorArrays over time: [B, 4U], [B, U] and [B, U]; `first_h` [B, U] is h before all steps. c
    after the step and its tanh are computed again, which is faster than reading them from memory.
    """

    gates: tf.TensorArray
    c: tf.TensorArray
    h: tf.TensorArray
    first_h: tf.Tensor

    def at(self, t: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Gates of step t, and c and h before it."""
        h = tf.where(t > 0, self.h.read(tf.maximum(t - 1, 0)), self.first_h)
        return self.gates.read(t), self.c.read(t), h


def _array(steps: int, like: tf.Tensor, width: int) -> tf.TensorArray:
    # A scan that indexed one big tensor would build its gradient in quadratic time.
    return tf.TensorArray(
        like.dtype, steps, element_shape=[like.shape[0], width], clear_after_read=False
    )


def _forward(
    inputs: tf.Tensor, operands: Operands, state: LSTMState, first: tf.Tensor | None
) -> tuple[LSTMState, _Saved]:
    """The last state, and what the backward pass needs."""
    steps, units = inputs.shape[0], state.c.shape[1]
    arrays = [_array(steps, state.c, width) for width in (4 * units, units, units)]

    def body(t: tf.Tensor, state: LSTMState, arrays: list[tf.TensorArray]) -> tuple:
        """Reads step t and keeps what its backward pass needs."""
        x = inputs[t]
        new, gates = cell(pre_activations(x, join(x, state.h, operands), operands), state.c)
        new = hold(None if first is None else (t >= first)[:, tf.newaxis], new, state)
        values = (gates, state.c, new.h)
        return new, [a.write(t, v) for a, v in zip(arrays, values, strict=True)]

    end, arrays = for_steps(steps, body, state, arrays)
    gates, c, h = arrays
    return end, _Saved(gates, c, h, first_h=state.h)


def _backward(
    d_outputs: list[tf.Tensor],
    d_state: LSTMState,
    inputs: tf.Tensor,
    operands: Operands,
    saved: _Saved,
    options: Options,
) -> tuple[tf.Tensor, ...]:
    """Gradients of the stacked weights, of c and h before, and of the table or the inputs."""
    steps, units, first = inputs.shape[0], d_state.c.shape[1], options.first
    table, input_gradient = operands.table, options.input_gradient
    tokens = table is not None
    kept = []
    if tokens or input_gradient:
        kept.append(_array(steps, d_state.c, 4 * units if tokens else inputs.shape[-1]))
    # Transposed once: a product with a transposed operand is more than twice as slow in each step.
    # The bias needs no rows here, and the inputs need theirs only if their gradient is wanted.
    skip = 0 if tokens else 1 + (0 if input_gradient else inputs.shape[-1])
    transposed = tf.transpose(operands.stacked[skip:])

    def body(k: tf.Tensor, d: LSTMState, d_stacked: tf.Tensor, kept: list[tf.TensorArray]) -> tuple:
        """Goes back through the k-th step from the end."""
        t = steps - 1 - k
        gates, c, h = saved.at(t)
        for d_output in d_outputs:
            d = LSTMState(d.c, d.h + d_output[t])
        d_gates, d_c = cell_backward(d, gates, c)
        active = None if first is None else (t >= first)[:, tf.newaxis]
        if active is not None:
            d_gates = tf.where(active, d_gates, tf.zeros_like(d_gates))
        d_stacked += product(join(inputs[t], h, operands), d_gates, transpose_a=True)
        d_joined = product(d_gates, transposed)
        kept = [a.write(t, d_gates if tokens else d_joined[:, :-units]) for a in kept]
        d = hold(active, LSTMState(d_c, d_joined[:, -units:]), d)
        return _cut(d, t, options.bptt_steps), d_stacked, kept

    zeros = tf.zeros_like(operands.stacked)
    d_state, d_stacked, kept = for_steps(steps, body, d_state, zeros, kept)
    d_sources = [array.stack() for array in kept]
    if table is not None:
        rows = table.shape[0]
        d_sources = [tf.math.unsorted_segment_sum(d, inputs, rows) for d in d_sources]
    return d_stacked, *d_state, *d_sources


def _cut(d: LSTMState, t: tf.Tensor, bptt_steps: int | None) -> LSTMState:
    """Stops the gradient of the state before step t where a cut lies: at multiples of bptt_steps.

    Not at 0: whether gradient reaches the first state is the caller's decision.
    """
    if bptt_steps is None:
        return d
    cut = tf.logical_and(t > 0, tf.equal(t % bptt_steps, 0))
    keep = tf.cast(tf.logical_not(cut), d.c.dtype)
    return LSTMState(d.c * keep, d.h * keep)
