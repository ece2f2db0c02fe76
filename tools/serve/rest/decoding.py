"""JSON of a predict request -> arrays, in rows (`instances`) or columns (`inputs`).

Rules and messages follow TensorFlow Serving's json_tensor.cc.
"""

import base64
import binascii
import json
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tools.serve.models.loaded import Arrays
from tools.serve.refusal import invalid

Signatures = dict[str, meta_graph_pb2.SignatureDef]
_Kinds = dict[str, tf.DType]
_B64 = 'b64'
# Values of a body. Python's parser lets nothing else run while it makes them: a second for each ten
# millions, at best.
MOST_VALUES = 1 << 20


class Body(NamedTuple):
    """A predict request: its signature, its inputs by name, and whether it came in rows."""

    signature: str
    inputs: Arrays
    in_rows: bool


def parse(data: bytes, signatures: Signatures) -> Body:
    """Parses the body of a predict request.

    Args:
      data: JSON.
      signatures: of the model.

    Raises:
      Refusal: for anything else.
    """
    asked = json_object(data)
    name = asked.get('signature_name', '')
    name = 'serving_default' if name == '' else name
    if not isinstance(name, str) or name not in signatures:
        raise invalid(f'Serving signature name: "{name}" not found in signature def')
    kinds = {key: tf.as_dtype(info.dtype) for key, info in signatures[name].inputs.items()}
    if ('instances' in asked) == ('inputs' in asked):
        raise invalid("Missing 'inputs' or 'instances' key")
    if 'instances' in asked:
        return Body(name, _from_rows(asked['instances'], kinds), True)
    return Body(name, _from_columns(asked['inputs'], kinds), False)


def json_object(data: bytes | str) -> dict[str, Any]:
    """Parses a JSON object.

    Raises:
      Refusal: for anything else.
    """
    # Values of a list or an object have commas between them; those in texts count too.
    count = data.count(',') if isinstance(data, str) else data.count(b',')
    if count >= MOST_VALUES:
        raise invalid(
            f'JSON: at most {MOST_VALUES} values are allowed in a request, got {count + 1} by its '
            'commas; send it in parts, texts as b64, or all of it over gRPC'
        )
    try:
        # Decoded here: Python's parser would also take UTF-16.
        found = json.loads(data if isinstance(data, str) else data.decode())
    except (ValueError, RecursionError) as error:
        raise invalid(f'JSON Parse error: {error}') from error
    if not isinstance(found, dict):
        raise invalid('JSON Value is not an object')
    return found


def _from_columns(values: Any, kinds: _Kinds) -> Arrays:
    if not isinstance(values, dict) or set(values) == {_B64}:
        if len(kinds) != 1:
            raise invalid(f'inputs is a plain value/list, but expecting {sorted(kinds)}')
        values = {next(iter(kinds)): values}
    return {key: _tensor(key, value, kinds) for key, value in values.items()}


def _from_rows(rows: Any, kinds: _Kinds) -> Arrays:
    if not isinstance(rows, list) or not rows:
        raise invalid("'instances' key is expected to be a non-empty list")
    named = [isinstance(row, dict) and set(row) != {_B64} for row in rows]
    if not any(named):
        if len(kinds) != 1:
            raise invalid(f'instances is a plain list, but expecting list of {sorted(kinds)}')
        return {key: _tensor(key, rows, kinds) for key in kinds}
    keys = set(rows[0]) if named[0] else set()
    if not all(named) or any(set(row) != keys for row in rows):
        raise invalid('Failed to process element of instances list: keys differ')
    return {key: _tensor(key, [row[key] for row in rows], kinds) for key in keys}


def _tensor(key: str, value: Any, kinds: _Kinds) -> np.ndarray:
    if key not in kinds:
        raise invalid(f'Invalid argument: key "{key}" is not in the signature')
    kind = kinds[key]
    try:
        return _strings(value) if kind == tf.string else _numbers(value, kind)
    except (ValueError, OverflowError, RecursionError) as error:
        raise invalid(f"Failed to process 'inputs' key: {key}: {error}") from error


def _numbers(value: Any, kind: tf.DType) -> np.ndarray:
    array = _leaves(value)
    allowed = {bool} if kind.is_bool else {int} if kind.is_integer else {int, float}
    if not set(map(type, array.ravel().tolist())) <= allowed:
        raise ValueError(f'JSON Value: is not of expected type: {kind.name}')
    if kind.is_integer and array.size and (array.min() < kind.min or array.max() > kind.max):
        raise ValueError(f'JSON Value: is out of range of {kind.name}')
    with np.errstate(over='ignore'):
        return array.astype(kind.as_numpy_dtype)


def _strings(value: Any) -> np.ndarray:
    array = _leaves(value)
    found = np.fromiter(map(_bytes, array.ravel().tolist()), object, array.size)
    return found.reshape(array.shape)


def _leaves(value: Any) -> np.ndarray:
    """JSON's own values; NumPy's types would make all as wide as the longest text among them."""
    array = np.array(value, object)
    if list in set(map(type, array.ravel().tolist())):
        raise ValueError('Encountered list at unexpected level')
    return array


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and set(value) == {_B64} and isinstance(value[_B64], str):
        try:
            text = value[_B64]
            # As there, the padding may be left out.
            return base64.b64decode(text + '=' * (-len(text) % 4), validate=True)
        except binascii.Error as error:
            raise ValueError(f'Unable to base64 decode ({error})') from error
    raise ValueError(f'JSON Value: {str(value)[:50]} is not of expected type: string')
