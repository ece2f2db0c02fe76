"""A batch of right-aligned sequences, and the columns that windows read of it.

Padding, if any, comes first. Positions are positions in the padded batch: position p means "after p
columns were read".
"""

from typing import NamedTuple

import tensorflow as tf


class Sequences(NamedTuple):
    """A batch of right-aligned sequences.

    `inputs`: values [B, T, C] (uint8 stands for value / 255, float16 for itself) or integer ids
    [B, T], as stored; T static. `padding`: int32 [B], the number of columns before a row's
    first step; None when no row has any. `dtype`: the type of decoded values.
    """

    inputs: tf.Tensor
    padding: tf.Tensor | None = None
    dtype: tf.DType = tf.float32

    @property
    def total_steps(self) -> int:
        """T, the number of columns."""
        return self.inputs.shape[1]

    def decode(self, columns: tf.Tensor) -> tf.Tensor:
        """Stored columns -> LSTM inputs; called per window, to avoid a float copy of the batch."""
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
    # Not inputs[:, begin:end]: XLA cannot infer the size of that slice if `begin` is a tensor.
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


def repeat_rows(values: tf.Tensor, windows: int) -> tf.Tensor:
    """[B] -> [W*B], in the order of `gather_columns`."""
    return tf.tile(values, [windows])


def first_steps(sequences: Sequences, starts: tf.Tensor) -> tf.Tensor:
    """The step of each window at which its row begins, int32 [W*B]; 0 or less: begun already."""
    begin = 0 if sequences.padding is None else sequences.padding[:, tf.newaxis]
    return stack_rows(begin - starts)
