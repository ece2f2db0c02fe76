"""Sweep and run: exact truncated BPTT over a batch of long sequences.

One notion carries it: a window = (starts, steps). The main LSTM first reads the batch without
gradient, up to each window's start (`sweep`); then all windows of equal length are read with
gradient, stacked along the batch axis (`run`). The state carried forward is always exact; only
gradients are cut. Source: Trinh et al. 2018, sections 3.2 and 3.3.

Sequences are right-aligned: padding, if any, comes first, and the state is held at zero there.
Positions here are positions in the padded batch; position p means "after p columns were read".
"""

from typing import NamedTuple

import tensorflow as tf

from trainer.bptt import lstm
from trainer.bptt.for_steps import for_steps
from trainer.bptt.lstm import LSTMState, LSTMWeights

# The sweep looks this often whose window begins: rarely enough to cost nothing, often enough that
# few steps are read a second time.
STRIDE_STEPS = 50


class Sequences(NamedTuple):
    """A batch of right-aligned sequences.

    `inputs`: values [B, T, C] (uint8 stands for value / 255, float16 for itself) or integer ids
    [B, T], as stored; T static. `padding`: int32 [B], the number of columns before a row's
    first step; None when no row has any. `dtype`: what values are computed in.
    """

    inputs: tf.Tensor
    padding: tf.Tensor | None = None
    dtype: tf.DType = tf.float32

    @property
    def total_steps(self) -> int:
        """T, the number of columns."""
        return self.inputs.shape[1]

    def decode(self, columns: tf.Tensor) -> tf.Tensor:
        """Stored columns -> LSTM inputs; called per window, so that no float copy of all exists."""
        if columns.shape.rank == 2:
            return tf.cast(columns, tf.int32)
        scale = 255 if columns.dtype == tf.uint8 else 1
        return tf.cast(columns, self.dtype) / tf.cast(scale, self.dtype)


def right_aligned(
    inputs: tf.Tensor, lengths: tf.Tensor | None, dtype: tf.DType = tf.float32
) -> Sequences:
    """Stored inputs [B, T(, C)], padding first; `lengths` int32 [B], None: all rows are T."""
    total = inputs.shape[1] or tf.shape(inputs)[1]
    return Sequences(inputs, None if lengths is None else total - lengths, dtype)


def _time_major(inputs: tf.Tensor) -> tf.Tensor:
    return tf.transpose(inputs, [1, 0, *range(2, inputs.shape.rank)])


def columns_at(sequences: Sequences, begin: int | tf.Tensor, steps: int | tf.Tensor) -> tf.Tensor:
    """LSTM inputs, time-major [steps, B, ...], from a position common to all rows."""
    batch, _, *rest = sequences.inputs.shape
    # Not inputs[:, begin:end]: of that XLA cannot tell the size where `begin` is a tensor.
    columns = tf.slice(
        sequences.inputs,
        [0, begin, *(0 for _ in rest)],
        [tf.shape(sequences.inputs)[0] if batch is None else batch, steps, *rest],
    )
    return sequences.decode(_time_major(columns))


def all_columns(sequences: Sequences) -> tf.Tensor:
    """All columns as LSTM inputs, time-major: [T, B, C] or ids [T, B]."""
    return sequences.decode(_time_major(sequences.inputs))


def gather_columns(sequences: Sequences, starts: tf.Tensor, steps: int) -> tf.Tensor:
    """Picks `steps` columns from each row's own starts.

    Args:
      sequences: of the batch.
      starts: int32 [B, W]; columns outside 0..T-1 repeat the nearest one (mask them).
      steps: static length.

    Returns:
      LSTM inputs [steps, W*B, C] or ids [steps, W*B]: window w of row b stands at w*B + b.
    """
    batch, windows = starts.shape
    index = starts[:, :, tf.newaxis] + tf.range(steps)
    index = tf.clip_by_value(index, 0, sequences.total_steps - 1)
    picked = tf.gather(sequences.inputs, tf.reshape(index, [batch, windows * steps]), batch_dims=1)
    rest = sequences.inputs.shape[2:]
    picked = tf.reshape(picked, [batch, windows, steps, *rest])
    picked = tf.transpose(picked, [2, 1, 0, *range(3, 3 + len(rest))])
    return sequences.decode(tf.reshape(picked, [steps, windows * batch, *rest]))


def stack_rows(values: tf.Tensor) -> tf.Tensor:
    """[B, W] -> [W*B], in the order of `gather_columns`."""
    return tf.reshape(tf.transpose(values), [-1])


def _repeat_rows(values: tf.Tensor, windows: int) -> tf.Tensor:
    """[B] -> [W*B], in the order of `gather_columns`."""
    return tf.tile(values, [windows])


def sweep(
    sequences: Sequences,
    weights: LSTMWeights,
    starts: tf.Tensor,
    *,
    until: int,
    stride_steps: int = STRIDE_STEPS,
) -> LSTMState:
    """The exact state, without gradient, at each window's own start.

    The batch is read once, stride by stride; where a stride begins, the windows that start within
    it take over the state. From there each window is read on, step by step, up to its start. So
    memory is O(B W U), whatever T is.

    Args:
      sequences: of the batch.
      weights: of the main LSTM.
      starts: int32 [B, W], at most `until`; negative ones mean "before the sequence": zero.
      until: the last position at which any window can start; nothing is read beyond.
      stride_steps: steps of a stride; they are cut from the end, the first one may be shorter.

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
        first = _repeat_rows(sequences.padding, windows) - begins
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
    first = _first_steps(sequences, starts) if held else None
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
    first = _first_steps(sequences, starts) if held else None
    return lstm.end_state(columns, weights, lstm.stop_gradient(state), first=first)


def _first_steps(sequences: Sequences, starts: tf.Tensor) -> tf.Tensor:
    """The step of each window, int32 [W*B], at which its row begins; 0 or less: before it."""
    begin = 0 if sequences.padding is None else sequences.padding[:, tf.newaxis]
    return stack_rows(begin - starts)
