"""Measures how far the gradient of each loss reaches back.

With truncation, the classifier's gradient ends after `supervised_bptt_steps`, and an auxiliary one
starts afresh at every anchor.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from trainer.bptt import lstm
from trainer.bptt.lstm import LSTMWeights
from trainer.models.batch import Batch, supervised_losses
from trainer.models.composition import Composition
from trainer.models.objective import Objective
from trainer.models.protocol import Model
from trainer.monitoring.figures import new_figure, pixels_of


def gradient_reach(objective: Objective[Any], model: Model, batch: Batch) -> dict[str, tf.Tensor]:
    """The norm of each loss's gradient, by distance back from the step at which the loss stands.

    Args:
      objective: of the run.
      model: of the run.
      batch: [B, T], with its anchors.

    Returns:
      By loss ('supervised', 'reconstruction', and 'prediction' by a readout), float [S]: the norm
      at distance 1, ..., S from the end of the sequence, from the anchor, or from the end of a
      window with many anchors. Empty for a model that is not truncated.
    """
    found: dict[str, tf.Tensor] = {}
    composition = objective.compose(model, batch)
    if composition is None:
        return found
    for name, window in composition.windows.items():
        if window.steps and name != 'prediction':
            found |= _window_norms(composition, name, model, batch)
    return found


def _window_norms(
    composition: Composition, name: str, model: Model, batch: Batch
) -> dict[str, tf.Tensor]:
    """Norm of each loss's gradient at each step of its windows, float [S], last step first.

    The gradient is taken at the pre-activations of the gates [W*B, 4U], through which all gradients
    of a step pass. The norm is the root of the mean square over windows.
    """
    windows = composition.windows[name].starts.shape[1]
    columns, first = composition.columns(name)
    kernel, *others = composition.weights
    integer = columns.dtype.is_integer
    gates = tf.gather(kernel, columns) if integer else tf.tensordot(columns, kernel, 1)
    identity = tf.eye(gates.shape[-1], dtype=gates.dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(gates)
        hidden, end = lstm.lstm(
            gates,
            LSTMWeights(identity, *others),
            composition.states[name],
            first=first,
            input_gradient=True,
        )
        if name == 'supervised':
            losses = {name: supervised_losses(model.classifier(end.h), batch.labels)}
        else:
            losses = composition.auxiliary_losses(name, hidden if name == 'readout' else end)
        # Losses are means over a row's windows.
        totals = {k: windows * tf.reduce_sum(v) for k, v in losses.items() if 'average' not in k}
    found = {}
    for loss, total in totals.items():
        squares = tf.reduce_sum(tape.gradient(total, gates) ** 2, axis=-1)
        found[loss] = tf.sqrt(tf.reduce_mean(squares, axis=-1))[::-1]
    return found


def draw_reach(reach: dict[str, np.ndarray]) -> np.ndarray:
    """Draws norms over distance; uint8 [1, height, width, 4], for a summary."""
    figure = new_figure(6, 3.2)
    axes = figure.subplots()
    for name, norms in reach.items():
        # A logarithmic axis cannot show zeros: the line ends at the first one.
        axes.plot(np.arange(1, len(norms) + 1), np.where(norms > 0, norms, np.nan), label=name)
    axes.set(xlabel='steps before the anchor, or the end', ylabel='gradient norm', yscale='log')
    axes.grid(alpha=0.3)
    axes.legend(loc='upper right')
    return pixels_of(figure)[np.newaxis]
