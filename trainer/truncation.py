"""Sweep, seek, run: exact truncated BPTT over a batch of long sequences.

One notion carries it: a window = (starts, steps). The main LSTM first reads the batch without
gradient and keeps its state at each segment's start (`sweep`); from the nearest kept state it is
moved, still without gradient, to the starts of the windows (`seek`); then all windows of equal
length are read with gradient, stacked along the batch axis (`run`). The state carried forward is
always exact; only gradients are cut. Source: Trinh et al. 2018, sections 3.2 and 3.3.

Sequences are right-aligned: padding, if any, comes first, and the state is held at zero there.
Positions here are positions in the padded batch; position p means "after p columns were read".
"""

import itertools
from typing import NamedTuple

import tensorflow as tf

from trainer import recurrent
from trainer.recurrent import LSTMState, LSTMWeights


class Sequences(NamedTuple):
    """A batch of right-aligned sequences.

    `inputs`: values [B, T, C] (uint8 stands for value / 255) or integer ids [B, T], as stored; T
    static. `padding`: int32 [B], the number of columns before a row's first step; None when no row
    has any. `dtype`: what values are computed in.
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


class SweptStates(NamedTuple):
    """States at the segment boundaries: `c` and `h` [N, B, U], at `boundaries` (N positions).

    `until`: the last position that may be sought from here.
    """

    c: tf.Tensor
    h: tf.Tensor
    boundaries: tuple[int, ...]
    until: int

    def at(self, k: int) -> LSTMState:
        """The state [B, U] at boundary number k."""
        return LSTMState(self.c[k], self.h[k])


def segment_boundaries(total_steps: int, segment_steps: int) -> tuple[int, ...]:
    """Positions 0, ..., total_steps at which segments meet: cut from the end, the first short."""
    return (0, *range((total_steps - 1) % segment_steps + 1, total_steps + 1, segment_steps))


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
    sequences: Sequences, weights: LSTMWeights, *, segment_steps: int, until: int
) -> SweptStates:
    """Reads the batch without gradient, keeping the state at each segment's start.

    Args:
      sequences: of the batch.
      weights: of the main LSTM.
      segment_steps: distance of the kept states; memory is O(B U T / segment_steps).
      until: the last position that anybody needs; later segments are not read.

    Returns:
      The states at position 0 and at every boundary up to `until`.
    """
    boundaries = tuple(
        p for p in segment_boundaries(sequences.total_steps, segment_steps) if p <= until
    )
    state = recurrent.zero_state(sequences.inputs.shape[0], weights)
    states = [state]
    if len(boundaries) > 1:
        state = _advance(sequences, weights, state, begin=0, steps=boundaries[1])
        states.append(state)
    c, h = (tf.stack(s) for s in zip(*states, strict=True))
    if len(boundaries) > 2:
        later_c, later_h = _sweep_whole_segments(
            sequences, weights, state, boundaries=boundaries[1:], segment_steps=segment_steps
        )
        c, h = tf.concat([c, later_c], axis=0), tf.concat([h, later_h], axis=0)
    return SweptStates(tf.stop_gradient(c), tf.stop_gradient(h), boundaries, until)


def _sweep_whole_segments(
    sequences: Sequences,
    weights: LSTMWeights,
    state: LSTMState,
    *,
    boundaries: tuple[int, ...],
    segment_steps: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """States after each whole segment; a loop, so that the graph does not grow with T."""
    segments = len(boundaries) - 1
    kept = [tf.TensorArray(s.dtype, segments, element_shape=s.shape) for s in state]

    def body(k: tf.Tensor, state: LSTMState, kept: list[tf.TensorArray]) -> tuple:
        begin = boundaries[0] + k * segment_steps
        state = _advance(sequences, weights, state, begin=begin, steps=segment_steps)
        kept = [array.write(k, s) for array, s in zip(kept, state, strict=True)]
        return k + 1, state, kept

    _, _, kept = tf.while_loop(
        lambda k, *_: k < segments,
        body,
        (tf.constant(0), state, kept),
        parallel_iterations=1,
        maximum_iterations=segments,
    )
    return kept[0].stack(), kept[1].stack()


def _advance(
    sequences: Sequences,
    weights: LSTMWeights,
    state: LSTMState,
    *,
    begin: int | tf.Tensor,
    steps: int,
) -> LSTMState:
    first = None if sequences.padding is None else sequences.padding - begin
    return recurrent.final_state(columns_at(sequences, begin, steps), weights, state, first=first)


def state_at(
    sequences: Sequences, weights: LSTMWeights, states: SweptStates, position: int
) -> LSTMState:
    """The exact state [B, U], without gradient, at one position common to all rows."""
    k = max(i for i, p in enumerate(states.boundaries) if p <= max(position, 0))
    begin = states.boundaries[k]
    if position <= begin:
        return states.at(k)
    return _advance(sequences, weights, states.at(k), begin=begin, steps=position - begin)


def seek(
    sequences: Sequences, weights: LSTMWeights, states: SweptStates, starts: tf.Tensor
) -> LSTMState:
    """The exact state, without gradient, at each window's own start.

    Args:
      sequences: of the batch.
      weights: of the main LSTM.
      states: from `sweep`; its `until` is no smaller than any start.
      starts: int32 [B, W]; negative ones mean "before the sequence": the zero state.

    Returns:
      c, h: [W*B, U], in the order of `gather_columns`.
    """
    batch, windows = starts.shape
    boundaries = tf.constant(states.boundaries)
    flat = tf.maximum(stack_rows(starts), 0)
    k = tf.searchsorted(boundaries, flat, side='right') - 1
    begins = tf.gather(boundaries, k)
    rows = _repeat_rows(tf.range(batch), windows)
    state = LSTMState(*(tf.gather_nd(s, tf.stack([k, rows], axis=1)) for s in (states.c, states.h)))
    reached = (*states.boundaries, states.until)
    longest = max(b - a for a, b in itertools.pairwise(reached))
    if longest == 0:
        return state
    by_row = tf.transpose(tf.reshape(begins, [windows, batch]))
    columns = gather_columns(sequences, by_row, longest)
    first = None
    if sequences.padding is not None:
        first = _repeat_rows(sequences.padding, windows) - begins
    return recurrent.final_state(columns, weights, state, first=first, last=flat - begins)


def run(
    sequences: Sequences,
    weights: LSTMWeights,
    state: LSTMState,
    starts: tf.Tensor,
    *,
    steps: int,
    held: bool,
    bptt_steps: int | None = None,
) -> tuple[tf.Tensor, LSTMState]:
    """Reads all windows of one length with gradient, stacked along the batch axis.

    Args:
      sequences: of the batch.
      weights: of the main LSTM.
      state: [W*B, U], at the starts; no gradient flows into it.
      starts: int32 [B, W]; may lie before a row's first step, where the state is held.
      steps: static length of the windows.
      held: whether any start can lie before its row's first step.
      bptt_steps: cuts inside the windows, see `recurrent.lstm`.

    Returns:
      outputs: [steps, W*B, U], in the order of `gather_columns`.
      state: [W*B, U], at the windows' ends.
    """
    columns = gather_columns(sequences, starts, steps)
    first = None
    if held:
        begin = 0 if sequences.padding is None else sequences.padding[:, tf.newaxis]
        first = stack_rows(begin - starts)
    return recurrent.lstm(
        columns,
        weights,
        recurrent.stop_gradient(state),
        first=first,
        bptt_steps=bptt_steps,
    )
