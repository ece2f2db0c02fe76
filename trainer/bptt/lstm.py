"""One LSTM layer over a time-major sequence.

This module knows no windows, anchors or losses. The default path is the scan (`trainer.bptt.scan`);
inside `cudnn_where_it_can` it is one cuDNN call per sequence (`trainer.bptt.cudnn`). Both paths use
the same weights and give the same results.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from trainer.bptt import cudnn, scan
from trainer.bptt.cell import LSTMState, LSTMWeights, step, stop_gradient, zero_state

__all__ = [
    'LSTMState',
    'LSTMWeights',
    'cudnn_where_it_can',
    'end_state',
    'final_state',
    'lstm',
    'step',
    'stop_gradient',
    'zero_state',
]

_CUDNN = contextvars.ContextVar('cudnn', default=False)


@contextlib.contextmanager
def cudnn_where_it_can() -> Iterator[None]:
    """Sequences that are traced for a GPU inside this context are read by cuDNN if it can.

    cuDNN cannot hold a row's state for some of the steps, cut gradients in very many places,
    compute in float64, or multiply in bfloat16. The scan reads those sequences, and each reason is
    logged once.
    """
    token = _CUDNN.set(True)
    try:
        yield
    finally:
        _CUDNN.reset(token)


def _takes_cudnn(
    inputs: tf.Tensor, weights: LSTMWeights, *, held: bool = False, bptt_steps: int | None = None
) -> bool:
    if not _CUDNN.get():
        return False
    reason = cudnn.hindrance(inputs, weights, held=held, bptt_steps=bptt_steps)
    if reason is not None:
        _warn_once(reason)
    return reason is None


@functools.cache
def _warn_once(reason: str) -> None:
    logging.warning('a sequence is read by the scan and not by cuDNN: %s', reason)


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
      inputs: float [T, B, D], or integer [T, B] to pick rows of the kernel; T and B may be dynamic.
      weights: of the layer.
      state: the state before the first step.
      first: int32 [B]; a row's state is held until this step. None: active from the start.
      last: int32 [B]; a row's state is held from this step on (T or less). None: all T steps.

    Returns:
      The state after the last step of each row, with no gradient.
    """
    weights, state = stop_gradient(weights), stop_gradient(state)
    if _takes_cudnn(inputs, weights, held=first is not None or last is not None):
        return stop_gradient(cudnn.lstm(inputs, weights, state)[1])
    return scan.final_state(inputs, weights, state, first=first, last=last)


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

    Raises:
      ValueError: if bptt_steps is less than 1.
    """
    if bptt_steps is not None and bptt_steps < 1:
        raise ValueError(f'bptt_steps={bptt_steps}: at least 1 is needed; None cuts nowhere.')
    if _takes_cudnn(inputs, weights, held=first is not None, bptt_steps=bptt_steps):
        inputs = inputs if input_gradient else tf.stop_gradient(inputs)
        return cudnn.lstm(inputs, weights, state, bptt_steps=bptt_steps)
    options = scan.Options(first, bptt_steps, input_gradient=input_gradient, outputs=True)
    outputs, c, h = scan.read(inputs, weights, state, options=options)
    return outputs, LSTMState(c, h)


def end_state(
    inputs: tf.Tensor,
    weights: LSTMWeights,
    state: LSTMState,
    *,
    first: tf.Tensor | None = None,
) -> LSTMState:
    """The state after the last step, with gradient: as `lstm`, but without the outputs."""
    if _takes_cudnn(inputs, weights, held=first is not None):
        return cudnn.lstm(tf.stop_gradient(inputs), weights, state)[1]
    options = scan.Options(first, None, input_gradient=False, outputs=False)
    return LSTMState(*scan.read(inputs, weights, state, options=options))
