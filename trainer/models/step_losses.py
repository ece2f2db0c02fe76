"""The loss of a predicted step: squared error or cross-entropy, and the scale that divides it."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from trainer.bptt.cell import multiplies_in, products_in
from trainer.bptt.for_steps import for_steps
from trainer.models.layers import StepHead


@dataclasses.dataclass(frozen=True)
class StepLoss:
    """The loss of a predicted step, for decoders, readouts and the auxiliary LSTM alike.

    `levels`: number of levels of each channel, if outputs are logits over them. None: outputs are
    values, or logits over a vocabulary. `scales`: for each channel (one for ids), the loss of
    always predicting the average. Losses are divided by it, so that 1 is "knows nothing" and 0 is
    exact. A channel that never varies (scale 0) has loss 0. None: losses stay squared errors or
    nats. `averages`: the average of each channel, for squared errors with scales.
    """

    levels: int | None = None
    scales: tuple[float, ...] | None = None
    averages: tuple[float, ...] | None = None

    def targets(self, columns: tf.Tensor) -> tf.Tensor:
        """Columns as targets: float values or int32 ids as they are, or values as int32 levels."""
        if self.levels is None or columns.dtype.is_integer:
            return columns
        return tf.cast(tf.round(columns * (self.levels - 1)), tf.int32)

    def values(self, outputs: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """Outputs as columns: [..., O] -> int ids [...] or values [..., C] of `dtype`."""
        if dtype.is_integer:
            return tf.argmax(outputs, axis=-1, output_type=dtype)
        if self.levels is None:
            return outputs
        best = tf.argmax(self._by_channel(outputs), axis=-1, output_type=tf.int32)
        return tf.cast(best, dtype) / tf.cast(self.levels - 1, dtype)

    def __call__(self, outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Losses of many steps.

        Args:
          outputs: [..., O].
          targets: from `targets`: float [..., C]; int32 [...] ids; or int32 [..., C] levels.

        Returns:
          [...]: the mean over channels of the losses, each divided by its channel's scale.
        """
        if not targets.dtype.is_integer:
            return self._mean(tf.math.squared_difference(outputs, targets))
        if self.levels is not None:
            outputs = self._by_channel(outputs)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)
        return self._mean(losses if self.levels is not None else losses[..., tf.newaxis])

    def of_average(self, columns: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """The loss of always predicting the average, at these steps: columns [...(, C)] -> [...].

        For tokens and levels it is the mean of that loss, 1, at each step: their frequencies are
        not known here.
        """
        if columns.dtype.is_integer:
            return tf.ones(tf.shape(columns), dtype)
        if self.levels is not None or self.averages is None:
            return tf.ones(tf.shape(columns)[:-1], dtype)
        return self._mean(tf.math.squared_difference(columns, tf.constant(self.averages, dtype)))

    def _mean(self, losses: tf.Tensor) -> tf.Tensor:
        if self.scales is not None:
            factors = [1 / scale if scale > 0 else 0.0 for scale in self.scales]
            losses *= tf.constant(factors, losses.dtype)
        return tf.reduce_mean(losses, axis=-1)

    def _by_channel(self, outputs: tf.Tensor) -> tf.Tensor:
        """Logits [..., C * levels] -> [..., C, levels]; the number of rows may be unknown."""
        channels = outputs.shape[-1] // self.levels
        sizes = [-1 if size is None else size for size in outputs.shape[:-1]]
        return tf.reshape(outputs, [*sizes, channels, self.levels])


def mean_of_valid(losses: tf.Tensor, valid: tf.Tensor, axis: int = 0) -> tf.Tensor:
    """The mean of the valid losses along an axis, 0 where there is none; both of one shape."""
    # `where` and not a product: an invalid step must not spread a NaN.
    losses = tf.where(valid, losses, tf.zeros_like(losses))
    count = tf.reduce_sum(tf.cast(valid, losses.dtype), axis=axis)
    return tf.math.divide_no_nan(tf.reduce_sum(losses, axis=axis), count)


def step_losses(head: StepHead, hidden: tf.Tensor, targets: tf.Tensor, loss: StepLoss) -> tf.Tensor:
    """The loss of each step, computed step by step.

    The head's outputs and its hidden layer are not kept: the backward pass computes both again, one
    step at a time, in the cache. Keeping them would take the largest part of a training step's
    memory.

    Args:
      head: on the hidden states.
      hidden: [n, R, U].
      targets: [n, R] or [n, R, C], from `loss.targets`.
      loss: of a step.

    Returns:
      [n, R].
    """
    steps, rows, _ = hidden.shape
    dtype, products = hidden.dtype, multiplies_in()

    def losses_at(t: tf.Tensor, h: tf.Tensor, weights: Sequence[tf.Tensor]) -> tf.Tensor:
        """The losses [R] of step t from its hidden states [R, U]."""
        return loss(head.apply(h, weights), targets[t])

    @tf.custom_gradient
    def compute(hidden: tf.Tensor, *weights: tf.Tensor) -> tuple:
        """The losses of all steps, and the function that takes gradients back through them."""

        def body(t: tf.Tensor, found: tf.TensorArray) -> tuple[tf.TensorArray]:
            """Adds the losses of step t."""
            return (found.write(t, losses_at(t, hidden[t], weights)),)

        (found,) = for_steps(steps, body, tf.TensorArray(dtype, steps, element_shape=[rows]))

        def backward(d: tf.Tensor) -> tuple:
            """Gradients [n, R] of the losses -> of the hidden states and of the weights."""

            def body(t: tf.Tensor, d_hidden: tf.TensorArray, *d_weights: tf.Tensor) -> tuple:
                """Adds the gradients of step t."""
                h = hidden[t]
                # A caller may ask for gradients outside of the context of the losses.
                with products_in(products), tf.GradientTape() as tape:
                    tape.watch([h, *weights])
                    losses = losses_at(t, h, weights)
                d_h, *more = tape.gradient(losses, [h, *weights], output_gradients=d[t])
                added = (old + new for old, new in zip(d_weights, more, strict=True))
                return d_hidden.write(t, d_h), *added

            d_hidden = tf.TensorArray(dtype, steps, element_shape=hidden.shape[1:])
            zeros = [tf.zeros_like(w) for w in weights]
            d_hidden, *d_weights = for_steps(steps, body, d_hidden, *zeros)
            return d_hidden.stack(), *d_weights

        return found.stack(), backward

    return compute(hidden, *head.weights())
