"""Reads the small JSON files of a run; a damaged one is refused in one line."""

import json
from typing import Any

import jsonschema
import tensorflow as tf

from pipelines.format.errors import LonghaulError, first_line

_NUMBER = {'type': 'number', 'minimum': -1e300, 'maximum': 1e300}
_TEXTS = {'type': 'array', 'items': {'type': 'string'}}
_NAMES = {'type': 'object', 'additionalProperties': {'type': 'string'}}
_MAYBE = {'anyOf': [_NUMBER, {'type': 'null'}]}
_CURVE = {
    'anyOf': [
        {'type': 'null'},
        {
            'type': 'object',
            'properties': {
                'distances': {'type': 'array', 'items': _NUMBER},
                'explained': {'type': 'array', 'items': _MAYBE},
                'total': _NUMBER,
            },
            'required': ['distances', 'explained', 'total'],
        },
    ]
}
# What others write into these files is let through: a newer version may know more.
_EVALUATED: dict[str, Any] = {
    'type': 'object',
    'properties': {
        **dict.fromkeys(('labelled', 'accuracy', 'accuracy_low', 'accuracy_high'), _NUMBER),
        'memory_curve': _CURVE,
    },
    'dependentRequired': {'labelled': ['accuracy']},
}
SCHEMAS: dict[str, dict[str, Any]] = {
    'config.json': {'type': 'object'},
    'command.json': {
        'type': 'object',
        'properties': dict.fromkeys(('gin_files', 'gin_params', 'commits'), _TEXTS),
    },
    'data.json': {
        'type': 'object',
        'properties': {
            'spec': {'type': 'object'},
            'class_names': _TEXTS,
            **dict.fromkeys(('records', 'losses'), _NAMES),
        },
        'required': ['spec', 'class_names'],
    },
    'validations.jsonl': {
        **_EVALUATED,
        'properties': {**_EVALUATED['properties'], 'step': {'type': 'integer', 'minimum': 0}},
        'required': ['step'],
    },
    'evaluation-*.json': {
        **_EVALUATED,
        'dependentRequired': {
            'accuracy': ['accuracy_low', 'accuracy_high', 'labelled', 'global_step']
        },
    },
    'result.json': {
        'type': 'object',
        'properties': {
            **dict.fromkeys(('steps', 'seconds', 'peak_memory_mb'), _NUMBER),
            **dict.fromkeys(('test_accuracy', 'validation_accuracy'), _MAYBE),
            'versions': {'type': 'object', 'additionalProperties': {'type': 'string'}},
            'memory_curve': _CURVE,
        },
    },
}


def read_text(path: str, *, without: str) -> str:
    """Reads a file.

    Args:
      path: of the file.
      without: what happens if the file is removed, a clause for people.

    Raises:
      tf.errors.NotFoundError: if there is none.
      LonghaulError: if it cannot be read, or is no text.
    """
    try:
        with tf.io.gfile.GFile(path) as file:
            return file.read()
    except tf.errors.NotFoundError:
        raise
    except (tf.errors.OpError, OSError, UnicodeDecodeError) as error:
        raise damaged(path, error, without) from error


def parse(text: str, path: str, schema: str, *, without: str) -> Any:
    """Parses the text of a file, or of one of its lines.

    Args:
      text: the JSON text.
      path: of the file, for a refusal.
      schema: a key of `SCHEMAS`.
      without: see `read_text`.

    Raises:
      LonghaulError: if it is damaged.
    """
    try:
        values = json.loads(text)
        jsonschema.validate(values, SCHEMAS[schema])
        return values
    except jsonschema.ValidationError as error:
        raise damaged(path, f'{error.json_path}: {error.message}', without) from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, error, without) from error


def damaged(path: str, why: Exception | str, without: str) -> LonghaulError:
    """The refusal of a file; see `read_text`."""
    text = why[:200] if isinstance(why, str) else first_line(why)
    return LonghaulError(
        f'{path}: damaged ({text}); bring it back from a copy, or remove it: {without}'
    )
