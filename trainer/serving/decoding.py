"""Raw items -> sequences, by the job's own code: what is served is what was trained on."""

from typing import NamedTuple

import tensorflow as tf

from pipelines.format import sequences
from pipelines.format.spec import SequenceSpec


class Decoded(NamedTuple):
    """A batch of sequences.

    `inputs`: [B, T(, C)] of the stored dtype, left-aligned. `lengths`: int32 [B]. `readable`: bool
    [B]; a row that could not be read has no steps, or (images) zeros.
    """

    inputs: tf.Tensor
    lengths: tf.Tensor
    readable: tf.Tensor


def step_shape(spec: SequenceSpec) -> list[int]:
    """Shape of a step as it is stored: [] for ids, [C] for values."""
    return [] if spec.kind == 'text' else [spec.channels]


def decode_batch(data: tf.Tensor, spec: SequenceSpec) -> Decoded:
    """Decodes each item on its own: one that cannot be read does not spoil its batch.

    Args:
      data: string [B].
      spec: of the records.
    """
    dtype, shape = tf.as_dtype(spec.dtype), step_shape(spec)

    def decode_one(item: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Steps and whether they could be read."""
        steps = spec.fixed_length or 0
        # A plain decode would fail the whole batch; a dataset can drop the error.
        decoded = (
            tf.data.Dataset.from_tensors(item)
            .map(lambda x: (sequences.decode(x, spec), True))
            .ignore_errors()
        )
        fallback = tf.data.Dataset.from_tensors((tf.zeros([steps, *shape], dtype), False))
        values, readable = decoded.concatenate(fallback).take(1).get_single_element()
        return values, tf.logical_and(readable, tf.shape(values)[0] > 0)

    flag = tf.TensorSpec([], tf.bool)
    if spec.fixed_length is not None:
        signature = (tf.TensorSpec([spec.fixed_length, *shape], dtype), flag)
        inputs, readable = tf.map_fn(decode_one, data, fn_output_signature=signature)
        return Decoded(inputs, tf.fill(tf.shape(data), spec.fixed_length), readable)
    signature = (tf.RaggedTensorSpec([None, *shape], dtype, ragged_rank=0), flag)
    ragged, readable = tf.map_fn(decode_one, data, fn_output_signature=signature)
    return Decoded(ragged.to_tensor(), tf.cast(ragged.row_lengths(), tf.int32), readable)
