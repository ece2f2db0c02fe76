"""Gradients of a batch, computed one part of its rows after another, in the memory of one part."""

from collections.abc import Callable

import tensorflow as tf

from trainer.bptt.for_steps import for_steps
from trainer.models.batch import Losses

# Rows [b, ...] -> the losses of each row, and the gradients of their sum.
Compute = Callable[[dict[str, tf.Tensor]], tuple[Losses, list[tf.Tensor]]]


def accumulate(compute: Compute, rows: dict[str, tf.Tensor], *, count: int) -> tuple:
    """The results of `compute` for all rows, from `count` equal parts of the rows in turn.

    Args:
      compute: called with rows [B / count, ...].
      rows: [B, ...] each; B is a multiple of `count`.
      count: number of parts; 1 calls `compute` once, with all rows.

    Returns:
      The losses of each row, [B], and the sums of the gradients.
    """
    if count == 1:
        return compute(rows)
    parts = {k: tf.reshape(v, [count, v.shape[0] // count, *v.shape[1:]]) for k, v in rows.items()}
    size = next(iter(parts.values())).shape[1]
    first_losses, first_gradients = compute({k: v[0] for k, v in parts.items()})
    flat = tf.nest.flatten(first_losses)
    firsts = {i: value for i, value in enumerate(flat) if value is not None}

    def body(t: tf.Tensor, found: tuple, gradients: tuple) -> tuple:
        """One more part."""
        losses, more = compute({k: v[t + 1] for k, v in parts.items()})
        values = tf.nest.flatten(losses)
        found = tuple(a.write(t + 1, values[i]) for a, i in zip(found, firsts, strict=True))
        return found, tuple(a + b for a, b in zip(gradients, more, strict=True))

    found = tuple(
        tf.TensorArray(first.dtype, count, element_shape=first.shape).write(0, first)
        for first in firsts.values()
    )
    found, gradients = for_steps(count - 1, body, found, tuple(first_gradients))
    losses: list[tf.Tensor | None] = [None] * len(flat)
    for (i, first), array in zip(firsts.items(), found, strict=True):
        losses[i] = tf.reshape(array.stack(), [count * size, *first.shape[1:]])
    return tf.nest.pack_sequence_as(first_losses, losses), list(gradients)
