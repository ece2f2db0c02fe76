"""Tensors of gRPC's messages -> arrays, and back."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tools.serve.refusal import invalid

# Bytes of one tensor. A message of a few bytes can claim any shape: its last value stands for all
# that follow.
MAX_BYTES, _TEXT = 1 << 28, 1 << 8


def to_arrays(protos: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """TensorProtos by name -> arrays by name; strings become arrays of bytes objects.

    Raises:
      Refusal: for what is no tensor.
    """
    return {name: _array(name, proto) for name, proto in protos.items()}


def _array(name: str, proto: Any) -> np.ndarray:
    try:
        kind = tf.as_dtype(proto.dtype)
        sizes = [dim.size for dim in proto.tensor_shape.dim]
        if proto.tensor_shape.unknown_rank or min(sizes, default=0) < 0:
            raise ValueError(f'shape {sizes} is not known')
        if math.prod(sizes) * (_TEXT if kind == tf.string else max(kind.size, 8)) > MAX_BYTES:
            raise ValueError(f'shape {sizes}: more than {MAX_BYTES} bytes')
        array: np.ndarray = tf.make_ndarray(proto)
    except (ValueError, TypeError, KeyError) as error:
        raise invalid(f'Tensor proto of {name!r} cannot be parsed: {error}') from error
    return array


def fill(protos: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays into a message's map of TensorProtos."""
    for name, array in arrays.items():
        protos[name].CopyFrom(tf.make_tensor_proto(array))
