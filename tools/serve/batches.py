"""Requests that are computed together: which ones can be, and how they are joined and split."""

from typing import NamedTuple

import numpy as np
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tools.serve.models.loaded import Arrays, LoadedModel
from tools.serve.models.version import Version

# Items of one size class differ by less than 2 to this power. All rows of a batch are as long as
# the longest: a short text would wait for the long one that it is joined with.
_BITS = 2
_SMALL_BYTES = 1 << 10


class Asked(NamedTuple):
    """What is computed: a signature, its inputs by name, the outputs wanted (empty: all)."""

    signature: str
    inputs: Arrays
    wanted: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of the first input; 1 for a scalar."""
        return next((len(a) for a in self.inputs.values() if a.ndim), 1)


class Key(NamedTuple):
    """Requests of one key can be joined."""

    version: Version
    signature: str
    wanted: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    size: int


def key_of(version: Version, asked: Asked) -> Key | None:
    """What a request can be joined with; None: with nothing.

    The batch must be the first axis of all inputs and outputs, and nothing else of an output may
    depend on the batch.
    """
    definition = version.model.signatures[asked.signature]
    if not _by_rows(definition):
        return None
    arrays = [asked.inputs[name] for name in sorted(asked.inputs)]
    rows = {len(array) if array.ndim else 0 for array in arrays}
    if len(rows) != 1 or 0 in rows or not _fits(definition, asked.inputs):
        return None
    shapes = tuple(array.shape[1:] for array in arrays)
    return Key(version, asked.signature, asked.wanted, shapes, _size(version.model, arrays))


def _by_rows(definition: meta_graph_pb2.SignatureDef) -> bool:
    inputs, outputs = definition.inputs.values(), definition.outputs.values()
    if not all(_rows_first(info.tensor_shape) for info in (*inputs, *outputs)):
        return False
    return not any(dim.size < 0 for info in outputs for dim in info.tensor_shape.dim[1:])


def _rows_first(shape: tensor_shape_pb2.TensorShapeProto) -> bool:
    return not shape.unknown_rank and len(shape.dim) > 0 and shape.dim[0].size < 0


def _fits(definition: meta_graph_pb2.SignatureDef, inputs: Arrays) -> bool:
    """Whether shapes are those of the signature; others are refused by the model, each alone."""
    for name, array in inputs.items():
        dims = definition.inputs[name].tensor_shape.dim
        if len(dims) != array.ndim:
            return False
        if any(dim.size not in (-1, size) for dim, size in zip(dims, array.shape, strict=True)):
            return False
    return True


def _size(model: LoadedModel, arrays: list[np.ndarray]) -> int:
    """The size class of the longest item; 0 where all sequences have one length."""
    spec = model.spec
    if spec is not None and spec.fixed_length is not None:
        return 0
    longest = max((len(i) for a in arrays if a.dtype == object for i in a.ravel()), default=0)
    return max(longest, _SMALL_BYTES).bit_length() // _BITS


def join(asked: list[Asked]) -> Asked:
    """One request of all rows."""
    first = asked[0]
    if len(asked) == 1:
        return first
    inputs = {name: np.concatenate([a.inputs[name] for a in asked]) for name in first.inputs}
    return Asked(first.signature, inputs, first.wanted)


def split(found: Arrays, asked: list[Asked]) -> list[Arrays]:
    """The outputs of each request, from those of all rows."""
    ends = np.cumsum([a.rows for a in asked])
    return [
        {name: array[end - a.rows : end] for name, array in found.items()}
        for a, end in zip(asked, ends, strict=True)
    ]
