"""How much the auxiliary losses use the state, and each loss's gradient norm on the main LSTM."""

from typing import Any

import tensorflow as tf

from trainer.models.batch import Batch
from trainer.models.objective import Objective
from trainer.models.protocol import Model

# Below this share, `advice` says that the loss hardly uses the state.
LITTLE_USE = 0.02


def state_use(objective: Objective[Any], model: Model, batch: Batch) -> dict[str, tf.Tensor]:
    """How much each auxiliary loss depends on the right state, instead of another sequence's.

    Args:
      objective: of the run.
      model: of the run.
      batch: of at least two sequences.

    Returns:
      By loss ('reconstruction', 'prediction'), float []: 1 - loss / loss with the states of other
      rows. Near 1, the predictions come from the state. Near 0, they do not, and the loss cannot
      teach the main LSTM anything.
    """
    true = objective.losses(model, batch)
    other = objective.losses(model, batch, other_states=True)
    found = {}
    for name in _used(objective):
        own, strange = (tf.reduce_mean(getattr(losses, name)) for losses in (true, other))
        found[name] = tf.where(strange > 0, 1 - tf.math.divide_no_nan(own, strange), 0.0)
    return found


def gradient_norms(objective: Objective[Any], model: Model, batch: Batch) -> dict[str, tf.Tensor]:
    """The norm of each loss's gradient, weight included, on the main LSTM's recurrent kernel.

    Returns:
      By loss in use ('supervised', 'reconstruction', 'prediction', those at anchors), float [].
    """
    unused = {'reconstruction', 'prediction'} - set(_used(objective))
    with tf.GradientTape(persistent=True) as tape:
        parts = objective.parts(objective.losses(model, batch))
        totals = {name: tf.reduce_mean(x) for name, x in parts.items() if name not in unused}
    # The local copy of a mirrored variable, which the losses have read.
    strategy = tf.distribute.get_strategy()
    kernel = strategy.experimental_local_results(model.recurrent_kernel)[0]
    return {
        name: tf.linalg.norm(tape.gradient(total, kernel, unconnected_gradients='zero'))
        for name, total in totals.items()
    }


def _used(objective: Objective[Any]) -> list[str]:
    """The auxiliary losses with a weight."""
    names = ('reconstruction', 'prediction')
    return [name for name in names if getattr(objective.config, f'{name}_weight')]


def advice(use: dict[str, float]) -> list[str]:
    """One line for each loss that hardly uses the state; it says what to change."""
    changes = {
        'reconstruction': "set ObjectiveConfig.reconstruction_form='readout' (a decoder: "
        'teacher_forcing_rate=0 and decoder_knows_distance=True), raise reconstruction_weight, or '
        'train longer',
        'prediction': 'raise ObjectiveConfig.prediction_weight, or set it to 0 and save its cost',
    }
    return [
        f'the {name} loss hardly uses the state ({share:.1%}: it is nearly the same with the '
        f'states of other sequences), so it cannot teach the LSTM to keep the past; {changes[name]}'
        for name, share in use.items()
        if share < LITTLE_USE
    ]
