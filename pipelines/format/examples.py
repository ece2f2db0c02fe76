"""Serialized examples -> tensors; `serializing` writes them."""

import tensorflow as tf

from pipelines.format.anchors import AnchorSets
from pipelines.format.records import RecordsInfo

_ANCHORS = AnchorSets._fields


def parse_examples(
    serialized: tf.Tensor, info: RecordsInfo, *, padded_steps: int | tf.Tensor
) -> dict[str, tf.Tensor]:
    """Parses a batch; works in graphs.

    Args:
      serialized: string [B].
      info: of the data set.
      padded_steps: columns of the batch, at least the longest length; T for fixed lengths.

    Returns:
      'id' string [B], 'label' int32 [B], 'length' int32 [B]; 'inputs' [B, padded_steps, C] for
      images and signals or [B, padded_steps] for text, of the stored dtype: zeros, then the steps;
      'r_anchors', 'r_starts', 'p_anchors' int32 [B, E, K].
    """
    spec, sets, k = info.spec, info.anchor_sets, info.anchors_per_sequence
    features = {
        'id': tf.io.FixedLenFeature([], tf.string),
        'label': tf.io.FixedLenFeature([], tf.int64),
        'length': tf.io.FixedLenFeature([], tf.int64),
        'segments': tf.io.RaggedFeature(tf.string),
        **{name: tf.io.FixedLenFeature([sets, k], tf.int64) for name in _ANCHORS},
    }
    parsed = tf.io.parse_example(serialized, features)
    width = spec.channels * tf.as_dtype(spec.dtype).size
    whole = tf.strings.reduce_join(parsed['segments'], axis=-1)
    missing = padded_steps * width - tf.strings.length(whole)
    # decode_raw refuses rows of unequal length, so that the zeros are added as bytes.
    padded = whole if spec.fixed_length is not None else _pad_front(whole, missing)
    values = tf.io.decode_raw(padded, tf.as_dtype(spec.dtype), little_endian=True)
    rows = -1 if serialized.shape[0] is None else serialized.shape[0]
    inputs = tf.reshape(values, [rows, padded_steps, *spec.step_shape])
    out = {'id': parsed['id'], 'inputs': inputs}
    for name in ('label', 'length', *_ANCHORS):
        out[name] = tf.cast(parsed[name], tf.int32)
    return out


def _pad_front(rows: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
    """Puts missing[b] zero bytes before rows[b]."""
    tf.debugging.assert_non_negative(missing, 'padded_steps is less than the longest length')
    longest = tf.reduce_max(missing)
    zeros = tf.strings.reduce_join(tf.fill([longest], tf.constant(b'\0')))
    fronts = tf.strings.substr(tf.fill(tf.shape(rows), zeros), tf.zeros_like(missing), missing)
    return tf.strings.join([fronts, rows])
