"""Raw items -> sequences, by the job's own code: a model serves the data that it was trained on."""

from typing import NamedTuple

import tensorflow as tf

from pipelines.format import sequences
from pipelines.format.spec import SequenceSpec
from trainer.serving.texts import as_utf8

# Limits of one request: its rows, and the decoded values of all rows, each padded to the longest.
# Without limits, a small request with one long row could take all memory.
MAX_BATCH, MAX_VALUES = 65_536, 1 << 27


class Decoded(NamedTuple):
    """A batch of sequences.

    `inputs`: [B, T(, C)] of the stored dtype, left-aligned. `lengths`: int32 [B]. `readable`: bool
    [B]; a row that could not be read has no steps, or (images) zeros.
    """

    inputs: tf.Tensor
    lengths: tf.Tensor
    readable: tf.Tensor


def decode_batch(data: tf.Tensor, spec: SequenceSpec) -> Decoded:
    """Decodes each item on its own: one that cannot be read does not spoil its batch.

    Texts are read as the job reads them; what the job rejects is not readable.

    Args:
      data: string [B].
      spec: of the records.

    Raises:
      tf.errors.InvalidArgumentError: for more than MAX_BATCH rows or MAX_VALUES values.
    """
    rows = tf.shape(data)[0]
    message = f'data: at most {MAX_BATCH} items are allowed in a batch, got'
    with tf.control_dependencies([tf.debugging.Assert(rows <= MAX_BATCH, [message, rows])]):
        data = tf.identity(data)
    dtype, shape, text = tf.as_dtype(spec.dtype), spec.step_shape, spec.kind == 'text'

    def decode_one(item: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Steps and whether they could be read."""
        steps = spec.fixed_length or 0
        # A plain decode would fail the whole batch; a dataset can drop the error.
        decoded = (
            tf.data.Dataset.from_tensors(item)
            .map(lambda x: (sequences.decode(as_utf8(x) if text else x, spec), True))
            .ignore_errors()
        )
        fallback = tf.data.Dataset.from_tensors((tf.zeros([steps, *shape], dtype), False))
        values, readable = decoded.concatenate(fallback).take(1).get_single_element()
        return values, tf.logical_and(readable, tf.shape(values)[0] > 0)

    flag = tf.TensorSpec([], tf.bool)
    if spec.fixed_length is not None:
        with tf.control_dependencies([_fits(rows, tf.constant(spec.fixed_length), spec)]):
            data = tf.identity(data)
        signature = (tf.TensorSpec([spec.fixed_length, *shape], dtype), flag)
        inputs, readable = tf.map_fn(decode_one, data, fn_output_signature=signature)
        return Decoded(inputs, tf.fill(tf.shape(data), spec.fixed_length), readable)
    signature = (tf.RaggedTensorSpec([None, *shape], dtype, ragged_rank=0), flag)
    ragged, readable = tf.map_fn(decode_one, data, fn_output_signature=signature)
    lengths = tf.cast(ragged.row_lengths(), tf.int32)
    # A batch without any row has no longest one.
    longest = tf.reduce_max(tf.pad(lengths, [[0, 1]]))
    with tf.control_dependencies([_fits(rows, longest, spec)]):
        lengths = tf.identity(lengths)
        # A ragged batch without steps does not know the shape of a step.
        inputs = tf.reshape(ragged.to_tensor(), [rows, longest, *shape])
        return Decoded(inputs, lengths, readable)


def _fits(rows: tf.Tensor, steps: tf.Tensor, spec: SequenceSpec) -> tf.Operation:
    values = tf.cast(rows, tf.int64) * tf.cast(steps, tf.int64) * spec.channels
    message = (
        f'data: at most {MAX_VALUES} values are allowed in a batch, with each item padded to the '
        'longest; send fewer or shorter items. Items and steps:'
    )
    return tf.debugging.Assert(values <= MAX_VALUES, [message, rows, steps])
