"""The batch that a step's losses are computed from, and the losses themselves."""

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf


class Batch(NamedTuple):
    """The inputs of the losses; B is static.

    `inputs`: stored columns, right-aligned: [B, T, C] values or [B, T] ids. `lengths`: int32 [B],
    or None when every row has T steps. `labels`: int32 [B], -1 = none. `r_anchors`, `r_starts`,
    `p_anchors`: int32 [B, K], in steps of the row (padding not counted). `fed`: bool [B, K, L-1],
    see `Reconstruction.outputs`, or None. `r_distances`, `p_distances`: int32 [N], the distances at
    which readouts predict values, or None.
    """

    inputs: tf.Tensor
    lengths: tf.Tensor | None
    labels: tf.Tensor
    r_anchors: tf.Tensor
    r_starts: tf.Tensor
    p_anchors: tf.Tensor
    fed: tf.Tensor | None = None
    r_distances: tf.Tensor | None = None
    p_distances: tf.Tensor | None = None

    def steps(self) -> tf.Tensor:
        """T_i of each row, int32 [B]."""
        rows, total = self.inputs.shape[:2]
        return tf.fill([rows], total) if self.lengths is None else self.lengths


class Losses(NamedTuple):
    """Per example [B], unweighted (0 where a loss is not used), and the classifier's logits.

    `encoded`: [B, F], the input of the classifier. `reconstruction_average`, `prediction_average`:
    [B], the loss of always predicting the average, at the same steps as the auxiliary loss.
    `at_anchors`: by name, [B] each, see `trainer.models.anchor_losses`.
    """

    supervised: tf.Tensor
    reconstruction: tf.Tensor
    prediction: tf.Tensor
    logits: tf.Tensor | None
    encoded: tf.Tensor | None = None
    reconstruction_average: tf.Tensor | None = None
    prediction_average: tf.Tensor | None = None
    at_anchors: Mapping[str, tf.Tensor] = {}


def supervised_losses(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of logits [B, classes] with labels int32 [B]; 0 where a label is -1."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
    return tf.where(labels >= 0, losses, tf.zeros_like(losses))
