"""Arrays -> JSON of an answer, in rows (`predictions`) or columns (`outputs`)."""

import base64
import json
from typing import Any

from google.protobuf import json_format

from tools.serve.models.loaded import Arrays
from tools.serve.refusal import invalid

# Outputs of such names are base64, as TensorFlow Serving has it.
_BINARY = '_bytes'


def answer(found: Arrays, *, in_rows: bool) -> bytes:
    """The body of an answer to a predict request.

    Raises:
      Refusal: if rows are wanted of outputs that have none.
    """
    return json.dumps(_rows(found) if in_rows else {'outputs': _columns(found)}).encode()


def _rows(found: Arrays) -> dict[str, Any]:
    columns = {key: _plain(array.tolist(), key) for key, array in found.items()}
    sizes = {key: len(value) if isinstance(value, list) else -1 for key, value in columns.items()}
    if len(set(sizes.values())) != 1 or -1 in sizes.values():
        raise invalid(f'Tensors have inconsistent batch sizes: {sizes}')
    if len(columns) == 1:
        return {'predictions': next(iter(columns.values()))}
    count = next(iter(sizes.values()))
    return {'predictions': [{key: columns[key][i] for key in columns} for i in range(count)]}


def _columns(found: Arrays) -> Any:
    columns = {key: _plain(array.tolist(), key) for key, array in found.items()}
    return columns if len(columns) > 1 else next(iter(columns.values()))


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, list):
        # Lists of numbers, which are long, are plain already.
        if value and isinstance(value[0], (int, float)):
            return value
        return [_plain(v, name) for v in value]
    if isinstance(value, bytes):
        if name.endswith(_BINARY):
            return {'b64': base64.b64encode(value).decode()}
        return value.decode('utf-8', 'replace')
    return value


def message(response: Any) -> dict[str, Any]:
    """A message of status or metadata as JSON values, with all of its fields."""
    found: dict[str, Any] = json_format.MessageToDict(
        response, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )
    return found
