"""The examples of a split as clients would send them, and what the trainer said of each."""

import io
import os
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.pixels import pictures_of
from pipelines.format.spec import SequenceSpec
from tools import json_lines
from tools.inspect.stored import Records


class Example(NamedTuple):
    """One example.

    `values`: the steps as stored, [T, C] or ids [T]. `raw`: a raw item that is decoded to these
    steps. `predicted`: the class that the trainer named. `probability`: of that class, in 0..1.
    """

    values: np.ndarray
    raw: bytes
    predicted: str
    probability: float


def read_examples(run: str, folder: str, split: str, *, spec: SequenceSpec) -> list[Example]:
    """Reads all examples of a split that the trainer has evaluated.

    Args:
      run: folder with predictions-SPLIT.jsonl.
      folder: of the records.
      split: that was evaluated.
      spec: of the sequences that the model reads.

    Raises:
      LonghaulError: if the run or the records are missing, or do not belong to each other.
    """
    said = _predictions(run, split)
    stored = Records(folder)
    if stored.info.spec != spec:
        raise LonghaulError(
            f'--records={folder}: are not what {run} was trained on; name those records'
        )
    count = len(stored.readers.get(split, ()))
    examples = (stored.read(split, number) for number in range(count))
    found = [
        Example(one.values, raw_item(one.values, spec), *said[one.id])
        for one in examples
        if one.id in said
    ]
    if len(found) != len(said):
        raise LonghaulError(
            f'--records={folder}: holds {len(found)} of the {len(said)} examples that {run} was '
            f'evaluated on in {split}; name the records that it was evaluated on'
        )
    return found


def _predictions(run: str, split: str) -> dict[str, tuple[str, float]]:
    path = os.path.join(run, f'predictions-{split}.jsonl')
    try:
        rows = json_lines.read(path)
        said = {row['id']: (row['predicted'], float(row['probability'])) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LonghaulError(
            f'RUN={run}: {path} cannot be read ({first_line(error)}); evaluate the run first: '
            f'python -m trainer.main --mode=eval --split={split} --model_dir={run}'
        ) from error
    if not said:
        raise LonghaulError(f'--split={split}: {path} holds no example; name another split')
    return said


def raw_item(values: np.ndarray, spec: SequenceSpec) -> bytes:
    """Makes a raw item that `sequences.decode` turns into these steps, but for trailing noise."""
    values = values[: len(values) - spec.trailing_steps]
    if spec.kind == 'image':
        return tf.io.encode_png(pictures_of(values, spec)).numpy()
    if spec.kind == 'signal':
        file = io.BytesIO()
        np.save(file, values)
        return file.getvalue()
    if spec.tokens == 'bytes':
        return values.tobytes()
    # Not U+FFFD for what is unknown: the vocabulary may hold it, with an id of its own.
    vocabulary = spec.vocabulary or ''
    unknown = next(c for c in map(chr, range(0xF0000, 0x10FFFE)) if c not in vocabulary)
    characters = unknown + vocabulary
    return ''.join(characters[i] for i in values).encode('utf-8', 'surrogatepass')
