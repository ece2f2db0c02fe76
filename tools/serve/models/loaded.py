"""One version of a model in memory.

Its graph is executed in a session, as TensorFlow Serving does, and not by the functions that
`tf.saved_model.load` gives. A session owns its variables: closing it gives their memory back at
once, whatever else still refers to the model. And the model's own checks refuse what does not fit,
in the same words as TensorFlow Serving, where Python's functions have errors of their own.
"""

import contextlib
import json
import os
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from pipelines.format.spec import SequenceSpec
from tools.serve.refusal import Refusal, invalid

Arrays = dict[str, np.ndarray]
# A signature of TensorFlow's own, which initialises the model.
_INNER = '__'
# TensorFlow crashes on strings of more than 32 axes; no signature has that many.
_MOST_AXES = 8
# TensorFlow's error codes are gRPC's.
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class LoadedModel:
    """A graph, its session and its signatures.

    Attributes:
      signatures: SignatureDefs by name.
      about: what longhaul.json says; {} for a SavedModel that Longhaul has not written.
      spec: what a step of a sequence is; None for such a SavedModel.
    """

    def __init__(self, folder: str, *, seconds: float) -> None:
        """Loads a version.

        Args:
          folder: of the SavedModel.
          seconds: after which the computation of a request is given up.

        Raises:
          Exception: of many kinds, if the folder holds no SavedModel.
        """
        self._milliseconds = max(1, int(seconds * 1000))
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ['serve'], folder)
        self.signatures = {
            name: signature
            for name, signature in loaded.signature_def.items()
            if not name.startswith(_INNER)
        }
        self.about = _about(folder)
        self.spec = SequenceSpec.from_json(self.about['spec']) if self.about else None
        self._callables: dict[tuple[str, tuple[str, ...]], Any] = {}

    def check(self, signature: str, inputs: Arrays, wanted: tuple[str, ...]) -> None:
        """Refuses names and types that the signature does not have, and too many axes.

        Args:
          signature: its name.
          inputs: by name; strings are arrays of bytes objects.
          wanted: names of outputs; empty: all.

        Raises:
          Refusal: in TensorFlow Serving's words.
        """
        if signature not in self.signatures:
            raise Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                f'Serving signature key "{signature}" not found.',
            )
        definition = self.signatures[signature]
        _check_names(set(definition.inputs), set(inputs))
        for name in wanted:
            if name not in definition.outputs:
                expected = ','.join(sorted(definition.outputs))
                raise invalid(
                    f'output tensor alias not found in signature: {name} Outputs expected to be '
                    f'in the set {{{expected}}}.'
                )
            # Each combination of outputs is compiled, and kept.
            if wanted.count(name) > 1:
                raise invalid(f'duplicate output tensor alias: {name}')
        for name in sorted(inputs):
            if inputs[name].ndim > _MOST_AXES:
                raise invalid(
                    f'Shape of tensor {name}: at most {_MOST_AXES} axes are allowed, got '
                    f'{inputs[name].ndim}'
                )
            kind, found = tf.as_dtype(definition.inputs[name].dtype), _kind(inputs[name])
            if found != kind:
                raise invalid(f'Expects arg[{name}] to be {kind.name} but {found.name} is provided')

    def run(self, signature: str, inputs: Arrays, wanted: tuple[str, ...] = ()) -> Arrays:
        """Computes outputs of a signature; safe in several threads at once.

        Args:
          signature: its name.
          inputs: by name, of the names and types that `check` accepts.
          wanted: names of outputs; empty: all.

        Returns:
          The outputs by name; strings are arrays of bytes objects.

        Raises:
          Refusal: if the model does not take these inputs, or the time is over.
        """
        names = tuple(sorted(wanted or self.signatures[signature].outputs))
        call = self._callable(signature, names)
        try:
            found = call(*(inputs[name] for name in sorted(inputs)))
        except tf.errors.OpError as error:
            code = _CODES.get(error.error_code, grpc.StatusCode.UNKNOWN)
            raise Refusal(code, error.message) from error
        except MemoryError as error:
            raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, 'out of memory') from error
        return dict(zip(names, found, strict=True))

    def _callable(self, signature: str, outputs: tuple[str, ...]) -> Any:
        """Unlike `Session.run`, this compares no shapes: the model itself does, in better words."""
        key = signature, outputs
        if key not in self._callables:
            definition, options = self.signatures[signature], config_pb2.CallableOptions()
            options.feed.extend(definition.inputs[i].name for i in sorted(definition.inputs))
            options.fetch.extend(definition.outputs[o].name for o in outputs)
            options.run_options.timeout_in_ms = self._milliseconds
            self._callables[key] = self._session._make_callable_from_options(options)
        return self._callables[key]

    def close(self) -> None:
        """Gives the memory back; no request may be running."""
        self._callables.clear()
        self._session.close()


def _about(folder: str) -> dict[str, Any]:
    path = os.path.join(folder, 'assets.extra', 'longhaul.json')
    with contextlib.suppress(FileNotFoundError), open(path, encoding='utf-8') as file:
        return dict(json.load(file))
    return {}


def _check_names(needed: set[str], sent: set[str]) -> None:
    if needed != sent:
        extra, lacking = ','.join(sorted(sent - needed)), ','.join(sorted(needed - sent))
        raise invalid(
            f'input size does not match signature: {len(sent)}!={len(needed)}. '
            f'Sent extra: {{{extra}}}. Missing but required: {{{lacking}}}.'
        )


def _kind(array: np.ndarray) -> tf.DType:
    return tf.string if array.dtype == object else tf.as_dtype(array.dtype)
