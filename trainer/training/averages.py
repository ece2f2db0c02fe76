"""Exponential moving averages of the weights: a second model, which is evaluated."""

import tensorflow as tf

from trainer.models.protocol import Model

# Polyak averaging. With the usual start, the weights of the first steps soon stop to count.
_START = 10.0


def start(averages: Model, model: Model) -> None:
    """Sets the averages to the model's weights."""
    pairs = zip(averages.trainable_variables, model.trainable_variables, strict=True)
    for average, variable in pairs:
        average.assign(variable)


def update(
    averages: Model,
    model: Model,
    *,
    decay: float,
    step: tf.Tensor,
    strategy: tf.distribute.Strategy,
) -> None:
    """Moves each average towards its variable; call it outside of replicas.

    Args:
      averages: of the same structure as `model`.
      model: that is trained.
      decay: share of the old average that is kept.
      step: scalar, steps taken so far; at most (1 + step) / (10 + step) of the average is kept.
      strategy: that holds the variables.
    """
    step = tf.cast(step, tf.float32)
    moved = 1.0 - tf.minimum(tf.constant(decay, tf.float32), (1.0 + step) / (_START + step))

    def move(average: tf.Variable, value: tf.Tensor) -> tf.Operation:
        """One replica's copy of an average."""
        value = tf.convert_to_tensor(value)
        return average.assign_add(tf.cast(moved, value.dtype) * (value - average))

    pairs = zip(averages.trainable_variables, model.trainable_variables, strict=True)
    for average, variable in pairs:
        strategy.extended.update(average, move, args=(variable,))
