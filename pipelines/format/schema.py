"""The schema of `records.json`: what each of its fields may hold, before anything uses it."""

from typing import Any

import jsonschema
from jsonschema.validators import extend

_SPLIT = '^(train|validation|test)$'
_MOST = (1 << 31) - 1


def _whole(least: int = 0, most: int = _MOST) -> dict[str, Any]:
    return {'type': 'integer', 'minimum': least, 'maximum': most}


def _maybe(kind: dict[str, Any]) -> dict[str, Any]:
    return {'anyOf': [{'type': 'null'}, kind]}


def _map(values: dict[str, Any], names: str = '') -> dict[str, Any]:
    """An object with any keys that match, whose values are alike."""
    return {
        'type': 'object',
        'propertyNames': {'pattern': names},
        'additionalProperties': values,
    }


_TEXT = {'type': 'string'}
_ANY_WHOLE = {'type': 'integer'}
_COUNT = _whole(0, 1 << 62)
_SPEC = {
    'type': 'object',
    'required': ['kind'],
    'properties': {
        'kind': _TEXT,
        'dtype': _TEXT,
        'channels': _whole(1),
        'image_size': _maybe(_whole(1, 1 << 14)),
        'tokens': _maybe(_TEXT),
        'vocabulary_size': _maybe(_whole(1)),
        'max_steps': _maybe(_whole(1)),
        'permutation_seed': _maybe(_ANY_WHOLE),
        'permutation': _maybe({'type': 'array'}),
        'vocabulary': _maybe(_TEXT),
        'vocabulary_sha256': _maybe(_TEXT),
        'steps_per_pixel': _whole(1),
        'cut': _TEXT,
        'trailing_steps': _whole(),
        'trailing': _TEXT,
        'trailing_seed': _maybe(_ANY_WHOLE),
        'jpeg': _TEXT,
    },
}
_SHARD = {
    'type': 'object',
    'required': ['name', 'examples', 'bytes', 'sha256', 'index_sha256'],
    'properties': {
        # A name is no path: nothing outside of the folder is read.
        'name': {'type': 'string', 'pattern': '^[^/\\\\\\0]+$'},
        'examples': _COUNT,
        'bytes': _COUNT,
        'sha256': _TEXT,
        'index_sha256': _TEXT,
    },
}
_BY_SPLIT = _map(_COUNT, _SPLIT)
_COUNTS = {
    'type': 'object',
    'properties': {
        'splits': _BY_SPLIT,
        'steps': _BY_SPLIT,
        'classes': _map(_map(_COUNT), _SPLIT),
        'encodings': _map(_map(_COUNT), _SPLIT),
        'rejected': _COUNT,
        'vocabulary': {
            'type': 'object',
            'properties': {'characters': _COUNT, 'unknown': _BY_SPLIT},
        },
    },
}
_RECORDS = {
    'type': 'object',
    'properties': {
        'spec': _SPEC,
        'segment_steps': _whole(1),
        'auxiliary_steps': _whole(1),
        'anchors_per_sequence': _whole(1, 1 << 20),
        'anchor_sets': _whole(1, 1 << 20),
        'seed': _ANY_WHOLE,
        'class_names': {'type': 'array', 'items': _TEXT},
        'shards': _map({'type': 'array', 'items': _SHARD}, _SPLIT),
        'counts': _COUNTS,
        'lengths': _map(_map(_COUNT, '^[0-9]{1,20}$'), _SPLIT),
        'options': {'type': 'object'},
        'versions': _map(_TEXT),
        'files': _map(_TEXT, '^[^/\\\\\\0]+$'),
        'sha256': _TEXT,
    },
}
# For jsonschema, 1.0 would be an integer too.
_Validator = extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        'integer', lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)
_MOST_SHOWN = 60


def fault_of(values: Any) -> str | None:
    """What is wrong with the content of `records.json`, in one line; None for nothing.

    Args:
      values: JSON values.
    """
    error = next(_Validator(_RECORDS).iter_errors(values), None)
    if error is None:
        return None
    place = '.'.join(map(str, error.absolute_path)) or 'the whole file'
    if error.validator == 'required':
        return f'{place}: {error.message}'
    shown = repr(error.instance)[:_MOST_SHOWN]
    return f'{place} holds {shown}, which no job writes there'
