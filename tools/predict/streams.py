"""Reads one sequence chunk by chunk: its length does not matter."""

from typing import Any

import numpy as np

from pipelines.format.errors import LonghaulError
from pipelines.format.steps import checked_steps
from tools.items.answers import Answer, answers_of
from tools.predict.chunks import read_chunks
from tools.predict.model import ExportedModel


class ExportedStream:
    """One sequence that an exported model reads as it arrives, in the memory of a chunk.

    Attributes:
      steps: how many were read.
    """

    def __init__(self, model: ExportedModel) -> None:
        """Begins a sequence.

        Raises:
          LonghaulError: if the model reads nothing but whole sequences.
        """
        model.need_streaming('stream')
        self._model, self.steps = model, 0
        self._state = model.call('start', batch_size=np.int32(1))

    def read(self, chunk: Any) -> None:
        """Reads the next steps: [T, C] values or [T] ids, as the model's `spec` says; T may be 0.

        Raises:
          LonghaulError: for steps of another shape or dtype, or values that are not finite.
        """
        steps = checked_steps(self._model.spec, chunk, name='chunk', least=0)
        inputs, lengths = steps[np.newaxis], np.array([len(steps)], np.int32)
        self._state = self._model.call('advance', inputs=inputs, lengths=lengths, **self._state)
        self.steps += len(steps)

    def classify(self) -> dict[str, np.ndarray]:
        """The outputs of the signature `classify`, of one row, after the steps that were read."""
        return self._model.call('classify', **self._state)


def classify(model: ExportedModel, file: str, *, top: int) -> Answer:
    """Gives the answer to a file, by the signatures `start`, `advance` and `classify`."""
    stream = ExportedStream(model)
    try:
        for chunk in read_chunks(file, model.spec):
            stream.read(chunk)
    except (LonghaulError, OSError) as error:
        return Answer(file, error=getattr(error, 'strerror', None) or str(error))
    if not stream.steps:
        return Answer(file, error='it is empty')
    (answer,) = answers_of([file], stream.classify(), top=top)
    return answer
