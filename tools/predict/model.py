"""An exported SavedModel as it lies on a disk; TensorFlow and nothing of the trainer runs it."""

import json
import os

import numpy as np
import tensorflow as tf

from pipelines.format import library_logs
from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.patterns import refuse_pattern
from pipelines.format.spec import SequenceSpec
from tools.items.refused import RefusedRequest


class ExportedModel:
    """A loaded export.

    Attributes:
      spec: of the sequences it reads.
      streams: whether it reads sequences chunk by chunk.
      recalls: whether it reconstructs what it has read.
      recall_inputs: names of what `recall` takes: 'distances' for a readout.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Loads the newest version in a folder, or the version that the folder is.

        Raises:
          LonghaulError: if the folder is no export.
        """
        library_logs.errors_alone()
        folder = os.fspath(folder)
        refuse_pattern(folder, flag='EXPORT')
        self.folder = _with_version(folder)
        about = os.path.join(self.folder, 'assets.extra', 'longhaul.json')
        try:
            with open(about, encoding='utf-8') as file:
                self.about = json.load(file)
            self.spec = SequenceSpec.from_json(self.about['spec'])
            # Kept, since signatures outlive their model, but not its variables.
            self._loaded = tf.saved_model.load(self.folder)
            signatures = self._loaded.signatures
        # TensorFlow says in many ways that a file is damaged, IndexError for one.
        except Exception as error:
            raise LonghaulError(
                f'EXPORT={folder}: cannot be loaded ({first_line(error)}); name a folder that '
                '--mode=export has written, such as RUN/export/1600'
            ) from error
        self._signatures = signatures
        self.streams, self.recalls = 'advance' in signatures, 'recall' in signatures
        self.recall_inputs: frozenset[str] = frozenset()
        if self.recalls:
            self.recall_inputs = frozenset(signatures['recall'].structured_input_signature[1])

    def need_streaming(self, flag: str) -> None:
        """Refuses a model that reads nothing but whole sequences."""
        if not self.streams:
            raise LonghaulError(
                f'{flag}: {self.folder} is no recurrent model: attention needs all steps at once; '
                'leave the flag out, or export an LSTM or a GRU'
            )
        if self.spec.kind == 'image':
            raise LonghaulError(
                f'{flag}: the model reads images, which are decoded as a whole; leave the flag out'
            )

    def serve(self, items: list[bytes]) -> dict[str, np.ndarray]:
        """Asks for raw items; returns the outputs of serving_default."""
        return self.call('serving_default', data=np.array([*items, None], object)[:-1])

    def call(self, signature: str, **inputs: np.ndarray | np.generic) -> dict[str, np.ndarray]:
        """Calls a signature with inputs by name; returns its outputs by name.

        Raises:
          LonghaulError: if it has no such signature, or the signature other inputs.
          RefusedRequest: if the model does not take these inputs.
        """
        self._check(signature, inputs)
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        try:
            return {k: v.numpy() for k, v in self._signatures[signature](**tensors).items()}
        except tf.errors.OpError as error:
            raise RefusedRequest(f'the model refuses it: {_reason(error.message)}') from error

    def _check(self, signature: str, inputs: dict[str, np.ndarray | np.generic]) -> None:
        if signature not in self._signatures:
            raise LonghaulError(
                f'signature={signature!r}: {self.folder} has no such signature; name one of '
                f'{", ".join(sorted(self._signatures))}'
            )
        wanted = self._signatures[signature].structured_input_signature[1]
        if inputs.keys() != wanted.keys():
            raise LonghaulError(
                f'{signature}: the inputs {", ".join(sorted(inputs)) or "none"} were given; give '
                f'{", ".join(sorted(wanted))}'
            )


def _reason(message: str) -> str:
    """Finds what an op has said within TensorFlow's account of which op it was, and where."""
    lines = [line for line in message.splitlines() if line.strip() and '[[' not in line]
    said = [line for line in lines if line.startswith(('assertion failed', 'Shape of tensor'))]
    return (said or lines or ['unknown'])[-1]


def _with_version(folder: str) -> str:
    """Finds the folder of the newest version, where a folder holds versions."""
    if os.path.exists(os.path.join(folder, 'saved_model.pb')) or not os.path.isdir(folder):
        return folder
    numbers = [int(name) for name in os.listdir(folder) if name.isdecimal()]
    return os.path.join(folder, str(max(numbers))) if numbers else folder
