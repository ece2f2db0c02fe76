"""A model that reads sequences of one's own: probabilities, states, streams, the memory curve."""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.config import Config
from trainer.data import own_checks
from trainer.data.own import OwnData
from trainer.models.protocol import Model
from trainer.models.stream import Stream
from trainer.monitoring.memory_curve import (
    FEWEST_ROWS,
    POINTS,
    MemoryCurve,
    memory_curve,
    probed_distances,
)


class Reader:
    """Asks a model, without training it.

    All methods take rows [T_i, C] of values, or [T_i] of ids, as they are stored: a list, or an
    array padded at its end, with `lengths` int [B].

    Attributes:
      config: of the run.
      data: what the sequences are.
      model: its weights are the latest ones.
    """

    def __init__(self, config: Config, data: OwnData, model: Model) -> None:
        self.config, self.data, self.model = config, data, model

    @property
    def class_names(self) -> tuple[str, ...]:
        """By label."""
        return self.data.info.class_names

    def predict(self, inputs: Any, lengths: Any = None) -> np.ndarray:
        """The probability of each class at the end of each row: float [B, classes].

        Raises:
          LonghaulError: for rows of another kind.
        """
        states = tf.constant(self.states(inputs, lengths))
        return tf.nn.softmax(self.model.classifier(states, None)).numpy()

    def states(self, inputs: Any, lengths: Any = None) -> np.ndarray:
        """What the classifier reads at the end of each row: float [B, F].

        Raises:
          LonghaulError: for rows of another kind.
        """
        batch = self.data.batch(self.config.objective, inputs, lengths=lengths)
        return self._encode(tf.constant(batch['inputs']), tf.constant(batch['lengths'])).numpy()

    @functools.cached_property
    def _encode(self) -> tf.types.experimental.PolymorphicFunction:
        fixed = self.data.info.spec.fixed_length is not None

        def encode(inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
            """The states of stored rows; traced once for each shape."""
            return self.model.encode(self.model.sequences(inputs, None if fixed else lengths))

        return tf.function(encode, autograph=False)

    def stream(self) -> Stream:
        """One sequence that arrives in chunks.

        Raises:
          LonghaulError: if the model needs all steps at once.
        """
        return Stream(self.model, self.data.info.spec)

    def memory_curve(self, inputs: Any) -> MemoryCurve:
        """How much of the past a linear probe reads from the last states, by distance.

        Args:
          inputs: rows of equal length T, 20 at least; a few hundred give a smooth curve.

        Raises:
          LonghaulError: for rows of another kind, too few, or of different length.
        """
        spec = self.data.info.spec
        rows = own_checks.checked_rows(spec, own_checks.listed('inputs', inputs))
        lengths = {len(row) for row in rows}
        if len(rows) < FEWEST_ROWS or len(lengths) > 1:
            raise LonghaulError(
                f'inputs: {len(rows)} rows of {len(lengths)} lengths; at least {FEWEST_ROWS} of '
                'one length are needed, cut them first'
            )
        distances = probed_distances(len(rows[0]))
        states, past = self.states(rows), np.stack(rows)[:, len(rows[0]) - distances]
        return memory_curve(states, past, distances, pooled=-(-len(distances) // POINTS))
