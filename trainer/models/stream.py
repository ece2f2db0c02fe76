"""One sequence that arrives in chunks, in the memory of a chunk and of the state."""

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
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

    def read(self, chunk: np.ndarray) -> None:
        """Reads the next steps: [T, C] values or [T] ids, as they are stored; T may be 0.

        Raises:
          LonghaulError: for steps of another shape or dtype.
        """
        chunk, spec = np.asarray(chunk), self._spec
        if chunk.ndim != 1 + len(spec.step_shape) or chunk.shape[1:] != spec.step_shape:
            wanted = ', '.join(map(str, ('T', *spec.step_shape)))
            raise LonghaulError(f'chunk: has the shape {list(chunk.shape)}; [{wanted}] is needed')
        if chunk.dtype != spec.dtype:
            raise LonghaulError(f'chunk: holds {chunk.dtype}; {spec.dtype} is needed, convert it')
        columns = all_columns(Sequences(tf.constant(chunk[np.newaxis]), dtype=self._model.dtype))
        lengths = tf.constant([len(chunk)], tf.int32)
        self._state = self._model.advance(self._state, columns, lengths)
        self.steps += len(chunk)

    def state(self) -> np.ndarray:
        """The hidden state after the steps that were read: float [U]."""
        return self._state['h'][0].numpy()

    def probabilities(self) -> np.ndarray:
        """The probability of each class after the steps that were read: float [classes]."""
        return tf.nn.softmax(self._model.classifier(self._state['h'], None))[0].numpy()
