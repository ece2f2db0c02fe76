"""Sweep and run: exact truncated BPTT over a batch of long sequences.

A window is (starts, steps). The main LSTM first reads the batch without gradient, up to each
window's start (`sweep`). Then it reads all windows of equal length with gradient, stacked along the
batch axis (`run`). The state carried forward is always exact; only gradients are cut. Source: Trinh
et al. 2018, sections 3.2 and 3.3.

Sequences are right-aligned (`trainer.bptt.sequences`); the state is held at zero in the padding.
"""

import tensorflow as tf

from trainer.bptt import lstm
from trainer.bptt.for_steps import for_steps
from trainer.bptt.lstm import LSTMState, LSTMWeights
from trainer.bptt.sequences import (
    Sequences,
    columns_at,
    first_steps,
    gather_columns,
    repeat_rows,
    stack_rows,
)

# The sweep stops after each stride to save states for the windows that begin in the next one. The
# stride is long enough that this costs nothing, and short enough that few steps are read twice.
STRIDE_STEPS = 50


def sweep(
    sequences: Sequences,
    weights: LSTMWeights,
    starts: tf.Tensor,
    *,
    until: int,
    stride_steps: int = STRIDE_STEPS,
) -> LSTMState:
    """The exact state, without gradient, at each window's own start.

    The batch is read once, stride by stride. At the beginning of a stride, the windows that start
    within the stride copy the state. From there the steps up to each window's start are read for
    that window. So memory is O(B W U), whatever T is.

    Args:
      sequences: of the batch.
      weights: of the main LSTM.
      starts: int32 [B, W], at most `until`; a negative start is before the sequence: state zero.
      until: the last position at which any window can start; nothing is read beyond.
      stride_steps: steps of a stride; strides count from the end, so the first may be shorter.

    Returns:
      c, h: [W*B, U], in the order of `gather_columns`.
    """
    windows = starts.shape[1]
    flat = tf.maximum(stack_rows(starts), 0)
    first = until % stride_steps
    strides = until // stride_steps
    # Stride 0 is the short one, if there is one; begins[k] is where stride k begins.
    begins = ([0] if first else []) + [first + k * stride_steps for k in range(strides + 1)]
    place = tf.searchsorted(tf.constant(begins), flat, side='right') - 1

    def take(kept: LSTMState, state: LSTMState, k: int | tf.Tensor) -> LSTMState:
        here = tf.equal(place, k)[:, tf.newaxis]
        pairs = zip(kept, state, strict=True)
        return LSTMState(*(tf.where(here, tf.tile(new, [windows, 1]), old) for old, new in pairs))

    state = lstm.zero_state(sequences.inputs.shape[0], weights)
    kept = lstm.zero_state(windows * sequences.inputs.shape[0], weights)
    if first:
        state = _advance(sequences, weights, state, begin=0, steps=first)

    def body(k: tf.Tensor, state: LSTMState, kept: LSTMState) -> tuple:
        begin = first + k * stride_steps
        kept = take(kept, state, k + (1 if first else 0))
        return _advance(sequences, weights, state, begin=begin, steps=stride_steps), kept

    if strides:
        # A loop, so that the graph does not grow with T.
        state, kept = for_steps(strides, body, state, kept)
    kept = take(kept, state, len(begins) - 1)
    longest = max(first, stride_steps if strides else 1) - 1
    return _seek(sequences, weights, kept, starts, tf.gather(begins, place), longest=longest)


def _advance(
    sequences: Sequences,
    weights: LSTMWeights,
    state: LSTMState,
    *,
    begin: int | tf.Tensor,
    steps: int,
) -> LSTMState:
    first = None if sequences.padding is None else sequences.padding - begin
    return lstm.final_state(columns_at(sequences, begin, steps), weights, state, first=first)


def _seek(
    sequences: Sequences,
    weights: LSTMWeights,
    state: LSTMState,
    starts: tf.Tensor,
    begins: tf.Tensor,
    *,
    longest: int,
) -> LSTMState:
    """Moves each window's state from `begins` int32 [W*B] to its start, `longest` steps at most."""
    if longest == 0:
        return state
    batch, windows = starts.shape
    by_row = tf.transpose(tf.reshape(begins, [windows, batch]))
    columns = gather_columns(sequences, by_row, longest)
    first = None
    if sequences.padding is not None:
        first = repeat_rows(sequences.padding, windows) - begins
    last = tf.maximum(stack_rows(starts), 0) - begins
    return lstm.final_state(columns, weights, state, first=first, last=last)


def run(
    sequences: Sequences,
    weights: LSTMWeights,
    state: LSTMState,
    starts: tf.Tensor,
    *,
    steps: int,
    bptt_steps: int | None = None,
    held: bool = False,
) -> tuple[tf.Tensor, LSTMState]:
    """Reads windows of one length with gradient, stacked along the batch axis.

    Args:
      sequences: of the batch.
      weights: of the main LSTM.
      state: [W*B, U], at the starts; no gradient flows into it.
      starts: int32 [B, W].
      steps: static length of the windows.
      bptt_steps: cuts inside the windows, see `lstm.lstm`.
      held: whether a start may lie before its row's first step: the state is held until there.

    Returns:
      The hidden state after each step, [steps, W*B, U], and the state at the ends, [W*B, U], in the
      order of `gather_columns`.
    """
    columns = gather_columns(sequences, starts, steps)
    first = first_steps(sequences, starts) if held else None
    state = lstm.stop_gradient(state)
    return lstm.lstm(columns, weights, state, first=first, bptt_steps=bptt_steps)


def run_to_end(
    sequences: Sequences,
    weights: LSTMWeights,
    state: LSTMState,
    starts: tf.Tensor,
    *,
    steps: int,
    held: bool,
) -> LSTMState:
    """The states [W*B, U] at the ends of windows of one length, with gradient; see `run`."""
    columns = gather_columns(sequences, starts, steps)
    first = first_steps(sequences, starts) if held else None
    return lstm.end_state(columns, weights, lstm.stop_gradient(state), first=first)
