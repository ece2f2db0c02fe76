"""One step of an LSTM, forward and backward, and the types of its state and weights.

Every step is one product: [1, x, h] with bias, kernel and recurrent kernel stacked.

Gate order is Keras's: i, f, c (candidate), o. Source: Hochreiter and Schmidhuber 1997 with the
forget gate of Gers et al. 2000; Trinh et al. 2018, section 4.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import tensorflow as tf

_PRODUCTS = contextvars.ContextVar('products', default=None)
_Nest = TypeVar('_Nest', bound=tuple)


@contextlib.contextmanager
def products_in(dtype: tf.DType | None) -> Iterator[None]:
    """Products that are traced inside this context are computed in `dtype`, such as bfloat16.

    With None, a product has the type of its operands. Weights, states, sums over steps and losses
    keep their own type in either case.
    """
    token = _PRODUCTS.set(dtype)
    try:
        yield
    finally:
        _PRODUCTS.reset(token)


def product(a: tf.Tensor, b: tf.Tensor, *, transpose_a: bool = False) -> tf.Tensor:
    """The product of two matrices, computed in the type of `products_in`; returned in a's type."""
    dtype = _PRODUCTS.get()
    if dtype is None:
        return tf.matmul(a, b, transpose_a=transpose_a)
    found = tf.matmul(tf.cast(a, dtype), tf.cast(b, dtype), transpose_a=transpose_a)
    return tf.cast(found, a.dtype)


def multiplies_in() -> tf.DType | None:
    """The type that `products_in` has set; None outside of it."""
    return _PRODUCTS.get()


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


def stop_gradient(nest: _Nest) -> _Nest:
    """Returns the same state or weights, through which no gradient flows."""
    return tf.nest.map_structure(tf.stop_gradient, nest)


class Operands(NamedTuple):
    """The weights of a step, arranged for one product.

    Float inputs: `stacked` is bias, kernel and recurrent kernel, [1 + D + U, 4U], and `table` is
    None. Integer inputs: `stacked` is the recurrent kernel, [U, 4U], and `table` is the kernel plus
    the bias, [V, 4U].
    """

    stacked: tf.Tensor
    table: tf.Tensor | None


def make_operands(weights: LSTMWeights, inputs: tf.Tensor) -> Operands:
    """The operands for inputs of this kind: float or integer."""
    if inputs.dtype.is_integer:
        return Operands(weights.recurrent_kernel, weights.kernel + weights.bias)
    rows = [weights.bias[tf.newaxis], weights.kernel, weights.recurrent_kernel]
    return Operands(tf.concat(rows, axis=0), None)


def join(x: tf.Tensor, h: tf.Tensor, operands: Operands) -> tf.Tensor:
    """The left operand of a step's product: [1, x, h], or h alone for integer inputs."""
    if operands.table is not None:
        return h
    return tf.concat([tf.ones_like(x[:, :1]), x, h], axis=1)


def pre_activations(x: tf.Tensor, joined: tf.Tensor, operands: Operands) -> tf.Tensor:
    """Pre-activations [B, 4U]."""
    found = product(joined, operands.stacked)
    if operands.table is None:
        return found
    return found + tf.gather(operands.table, x)


def cell(gates: tf.Tensor, c: tf.Tensor) -> tuple[LSTMState, tf.Tensor]:
    """One LSTM step from pre-activations [B, 4U] and c [B, U]: the state, the gates [B, 4U]."""
    units = c.shape[-1]
    i_f, candidate, output = tf.split(gates, [2 * units, units, units], axis=-1)
    # One call for two gates: fewer, larger element-wise operations.
    i_f = tf.sigmoid(i_f)
    i, f = tf.split(i_f, 2, axis=-1)
    g, o = tf.tanh(candidate), tf.sigmoid(output)
    c = f * c + i * g
    return LSTMState(c, o * tf.tanh(c)), tf.concat([i_f, g, o], axis=-1)


def cell_backward(
    d: LSTMState, gates: tf.Tensor, c_before: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Backward of `cell`: returns d_gates [B, 4U] and d_c of the state before the step."""
    i, f, g, o = tf.split(gates, 4, axis=-1)
    tanh_c = tf.tanh(f * c_before + i * g)
    d_ho = d.h * o
    d_c = d.c + d_ho - d_ho * tanh_c * tanh_c
    d_gates = tf.concat(
        [
            d_c * g * (i - i * i),
            d_c * c_before * (f - f * f),
            d_c * i * (1 - g * g),
            d_ho * tanh_c * (1 - o),
        ],
        axis=-1,
    )
    return d_gates, d_c * f


def hold(active: tf.Tensor | None, new: LSTMState, old: LSTMState) -> LSTMState:
    """Keeps the old state of the rows that are not active; `active` is bool [B, 1] or None."""
    if active is None:
        return new
    return LSTMState(*(tf.where(active, n, o) for n, o in zip(new, old, strict=True)))


def step(inputs: tf.Tensor, weights: LSTMWeights, state: LSTMState) -> LSTMState:
    """Reads one step, inputs float [B, D] or integer [B]; TensorFlow derives its gradient."""
    operands = make_operands(weights, inputs)
    new, _ = cell(pre_activations(inputs, join(inputs, state.h, operands), operands), state.c)
    return new
