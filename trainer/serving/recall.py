"""Recalls steps from a state, by the r-LSTM's decoder on its own outputs, or by its readout."""

from typing import cast

import tensorflow as tf

from pipelines.format.spec import SequenceSpec
from trainer.bptt.lstm import LSTMState
from trainer.bptt.sequences import Sequences
from trainer.models.protocol import Model
from trainer.models.readout import Readout
from trainer.models.reconstruction import Reconstruction


def recall_stretch(
    model: Model,
    spec: SequenceSpec,
    state: LSTMState,
    first: tf.Tensor,
    steps: tf.Tensor,
    distance: tf.Tensor,
) -> tf.Tensor:
    """Reconstructs a stretch of the steps that were read, from its first step on.

    Args:
      model: with a decoder.
      spec: of the records.
      state: [B, U] each, after the last step that was read.
      first: [B(, C)], of the stored dtype: the step that the stretch begins with.
      steps: int32 [], how many steps after it.
      distance: int32 [], how far back `first` lies; used by a decoder that knows distances.

    Returns:
      [B, steps(, C)], of the stored dtype. After `first`, each step reads the output of the step
      before (paper, section 3.1, without teacher forcing).
    """
    # With a time axis, since `decode` tells ids from values by the rank.
    sequences = Sequences(first[tf.newaxis], dtype=model.dtype)
    begin = sequences.decode(first[tf.newaxis])[0]
    embedding = tf.convert_to_tensor(model.embedding)
    decoder = cast(Reconstruction, model.reconstruction)
    start = decoder.start(state, tf.fill(tf.shape(first)[:1], distance))
    values = decoder.free_run(start, begin, steps, embedding)
    return _stored(tf.transpose(values, [1, 0, *range(2, values.shape.rank)]), spec)


def recall_at(
    model: Model, spec: SequenceSpec, state: LSTMState, distances: tf.Tensor
) -> tf.Tensor:
    """A readout's values for the steps at distances int32 [N] back: [B, N(, C)], as stored."""
    dtype = tf.int32 if spec.kind == 'text' else model.dtype
    return _stored(cast(Readout, model.reconstruction).recall(state.h, distances, dtype), spec)


def _stored(values: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Ids or values that a model predicts -> the records' type."""
    if spec.kind != 'text' and spec.dtype == 'uint8':
        values = tf.round(255 * tf.clip_by_value(values, 0, 1))
    return tf.cast(values, spec.dtype)
