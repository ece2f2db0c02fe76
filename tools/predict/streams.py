"""Classifies one file chunk by chunk: its length does not matter."""

import numpy as np

from pipelines.format.errors import LonghaulError
from tools.items.answers import Answer, answers_of
from tools.items.refused import RefusedRequest
from tools.predict.chunks import read_chunks
from tools.predict.model import ExportedModel


def classify(model: ExportedModel, file: str, *, top: int) -> Answer:
    """Gives the answer to a file, by the signatures `start`, `advance` and `classify`."""
    state, steps = model.call('start', batch_size=np.int32(1)), 0
    try:
        for chunk in read_chunks(file, model.spec):
            lengths = np.array([len(chunk)], np.int32)
            state = model.call('advance', inputs=chunk[np.newaxis], lengths=lengths, **state)
            steps += len(chunk)
    except (LonghaulError, OSError, RefusedRequest) as error:
        return Answer(file, error=getattr(error, 'strerror', None) or str(error))
    if not steps:
        return Answer(file, error='it is empty')
    (answer,) = answers_of([file], model.call('classify', **state), top=top)
    return answer
