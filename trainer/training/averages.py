"""Exponential moving averages of the weights: a second model, which is what gets evaluated."""

import tensorflow as tf

from trainer.models.protocol import Model

# Polyak averaging, with the usual start: the first steps' weights are soon forgotten.
_START = 10.0


def start(averages: Model, model: Model) -> None:
    """Lets the averages begin where the model stands."""
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
      decay: share of the average that stays.
      step: scalar, steps taken so far; early ones let less stay: (1 + step) / (10 + step) at most.
      strategy: whose variables they are.
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
