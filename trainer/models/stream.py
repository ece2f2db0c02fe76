"""One sequence that arrives in chunks, in the memory of a chunk and of the state."""

from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from pipelines.format.steps import checked_steps
from trainer.bptt.sequences import Sequences, all_columns
from trainer.models.protocol import Model


class Stream:
    """Reads a sequence chunk by chunk; the answer does not depend on how it is cut.

    Attributes:
      steps: how many were read.
    """

    def __init__(self, model: Model, spec: SequenceSpec) -> None:
        """Begins a sequence.

        Raises:
          LonghaulError: if the model needs all steps at once.
        """
        if not model.state_names:
            raise LonghaulError(
                f'ModelConfig.architecture={model.config.architecture!r}: attention needs all '
                'steps at once; stream an LSTM or a GRU'
            )
        self._model, self._spec, self.steps = model, spec, 0
        self._state = model.start(tf.constant(1))

    def read(self, chunk: Any) -> None:
        """Reads the next steps: [T, C] values or [T] ids, as rows are given; T may be 0.

        Raises:
          LonghaulError: for steps of another shape or dtype, or values that are not finite.
        """
        steps = checked_steps(self._spec, chunk, name='chunk', least=0)
        columns = all_columns(Sequences(tf.constant(steps[np.newaxis]), dtype=self._model.dtype))
        lengths = tf.constant([len(steps)], tf.int32)
        self._state = self._model.advance(self._state, columns, lengths)
        self.steps += len(steps)

    def state(self) -> np.ndarray:
        """The hidden state after the steps that were read: float [U]."""
        return self._state['h'][0].numpy()

    def probabilities(self) -> np.ndarray:
        """The probability of each class after the steps that were read: float [classes]."""
        return tf.nn.softmax(self._model.classifier(self._state['h'], None))[0].numpy()
