"""Measured at each validation: state use, memory curve and the gradient norm of each loss."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.batches import SplitInput
from trainer.models.batch import Batch
from trainer.models.objective import Objective
from trainer.models.protocol import Model
from trainer.monitoring.figures import new_figure, pixels_of
from trainer.monitoring.memory_curve import (
    FEWEST_ROWS,
    MOST_ROWS,
    POINTS,
    MemoryCurve,
    memory_curve,
    probed_distances,
)
from trainer.monitoring.state_use import advice, gradient_norms, state_use

# The most stored values that a probe reads, over all sequences.
_MOST_VALUES = 1 << 27

States = list[tuple[np.ndarray, np.ndarray]]


def probe(split: SplitInput, states: States) -> MemoryCurve | None:
    """The memory curve of the final states of an evaluated split.

    Of documents and signals the longer half is probed, so that each distance lies in all of them.

    Args:
      split: that was evaluated.
      states: from `SplitEvaluator.states`.

    Returns:
      None if there are too few sequences for a probe.
    """
    rows, encoded = (np.concatenate(parts) for parts in zip(*states, strict=True))
    # Evaluations go from short to long. In the order of the index, the half that probes are fitted
    # to and the half that judges them have lengths alike.
    order = np.argsort(rows)
    rows, encoded = rows[order], encoded[order]
    lengths = split.reader.entries['length'][rows].astype(np.int64)
    longest = int(np.median(lengths)) if len(lengths) else 0
    values = split.info.spec.channels * int(lengths.max(initial=1))
    most = min(MOST_ROWS, _MOST_VALUES // values)
    kept = np.flatnonzero(lengths >= longest)[:most]
    if len(kept) < FEWEST_ROWS:
        return None
    inputs = split.read(rows[kept].astype(np.int64))['inputs']
    distances = probed_distances(longest)
    past = inputs[:, inputs.shape[1] - distances]
    return memory_curve(encoded[kept], past, distances, pooled=-(-len(distances) // POINTS))


def curve_json(curve: MemoryCurve | None) -> dict[str, Any] | None:
    """The curve as JSON values; None stands for an unknown value."""
    if curve is None:
        return None
    explained = [None if np.isnan(x) else round(float(x), 4) for x in curve.explained]
    return {
        'distances': [round(float(d), 2) for d in curve.distances],
        'explained': explained,
        'total': round(curve.total, 4),
    }


def draw_curves(curves: dict[str, MemoryCurve]) -> np.ndarray:
    """Draws memory curves by name; uint8 [1, height, width, 4], for a summary."""
    figure = new_figure(6, 3.2)
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.plot(curve.distances, curve.explained.clip(0, 1), label=name)
    axes.set(xlabel='steps back from the end', ylabel='share of variance read', ylim=(0, 1))
    axes.grid(alpha=0.3)
    return pixels_of(figure)[np.newaxis]


class AuxiliaryMeasures:
    """State use and gradient norms of one fixed batch, with the weights as they are when called."""

    def __init__(self, objective: Objective[Any], model: Model, batch: Batch) -> None:
        self._measure = tf.function(
            lambda: (state_use(objective, model, batch), gradient_norms(objective, model, batch)),
            autograph=False,
        )

    def __call__(self) -> tuple[dict[str, float], dict[str, float]]:
        """By loss: state use, and the norm on the recurrent kernel."""
        both = self._measure()
        use, norms = ({name: float(value) for name, value in found.items()} for found in both)
        return use, norms


class Measures:
    """An evaluation action: adds what it finds to the logs, and draws the curve for TensorBoard."""

    def __init__(
        self,
        *,
        split: SplitInput,
        states: Callable[[], States],
        auxiliary: AuxiliaryMeasures | None,
        draw: Callable[[np.ndarray], None],
        say: Callable[[str], None],
    ) -> None:
        """Prepares to measure.

        Args:
          split: that is validated.
          states: gives `SplitEvaluator.states` of the latest validation.
          auxiliary: None where the model has no auxiliary loss.
          draw: takes the picture of a memory curve.
          say: takes one line of advice; each line is given once, from the second validation on.
        """
        self._split, self._states, self._auxiliary = split, states, auxiliary
        self._draw, self._say = draw, say
        self._said: set[str] = set()
        self._validated = False

    def __call__(self, logs: dict[str, Any]) -> None:
        """Measures, and adds numbers to the logs."""
        curve = probe(self._split, self._states())
        if curve is not None:
            logs['memory'] = curve.total
            self._draw(draw_curves({'linear probe': curve}))
        if self._auxiliary is None:
            return
        use, norms = self._auxiliary()
        logs.update({f'{name}_state_use': value for name, value in use.items()})
        logs.update({f'{name}_recurrent_gradient': value for name, value in norms.items()})
        # The first validation may find weights that have hardly begun to learn.
        for line in advice(use) if self._validated else []:
            if line not in self._said:
                self._say(line)
            self._said.add(line)
        self._validated = True
