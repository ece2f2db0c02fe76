"""Reads how much the values of a data set vary: a loss is compared with these numbers."""

import dataclasses
import hashlib
import json
import posixpath
from typing import Any

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.records import STATS_NAME, RecordsInfo
from pipelines.format.unreadable import refuses_unreadable

_AGAIN = 'run python -m pipelines.main again with --overwrite'


@dataclasses.dataclass(frozen=True)
class ValueScales:
    """The loss of the best constant guess at a step of the training split, by channel.

    All fields are None where an older version of the job has not written them.

    Attributes:
      variance: the squared error of the guess `mean`, in the units of a model's input (uint8 as
        value / 255); 0 for a channel that never changes, but for rounding; None for texts.
      entropy: the cross-entropy of the guess in nats, over the 256 values of uint8, or one number
        over the ids of a text; 0 for a channel that never changes; None for floats.
      mean: the guess with the least squared error, in the units of a model's input; None for texts.
    """

    variance: tuple[float, ...] | None
    entropy: tuple[float, ...] | None
    mean: tuple[float, ...] | None = None


def read_scales(folder: str, info: RecordsInfo) -> ValueScales:
    """Reads the scales of a data set from its stats.json.

    Args:
      folder: of the records, any path that tf.io.gfile understands.
      info: from its records.json.

    Raises:
      LonghaulError: if stats.json is missing, unreadable or damaged.
    """
    stats, path = read_stats(folder, info), posixpath.join(folder, STATS_NAME)
    if stats is None:
        raise LonghaulError(
            f'{path}: missing, and it says how much the values vary; copy it from where the '
            'records were written, or run python -m pipelines.main again with --overwrite'
        )
    try:
        return _scales(stats, 255 if info.spec.dtype == 'uint8' else 1)
    except (ValueError, TypeError, AttributeError) as error:
        raise LonghaulError(f'{path}: damaged ({error}); {_AGAIN}') from error


def read_stats(folder: str, info: RecordsInfo) -> dict[str, Any] | None:
    """Reads the stats.json of a data set; None if there is none.

    Raises:
      LonghaulError: if it is unreadable or damaged.
    """
    path = posixpath.join(folder, STATS_NAME)
    if not tf.io.gfile.exists(path):
        return None
    with refuses_unreadable(path), tf.io.gfile.GFile(path, 'rb') as file:
        data = file.read()
    sha256 = hashlib.sha256(data).hexdigest()
    # Records of an older job do not list the hash of stats.json.
    if info.files.get(STATS_NAME, sha256) != sha256:
        raise LonghaulError(f'{path}: damaged (its sha256 is not that of records.json); {_AGAIN}')
    try:
        found = json.loads(data)
        if not isinstance(found, dict):
            raise ValueError(f'{type(found).__name__} in place of an object')
    except (ValueError, RecursionError) as error:
        raise LonghaulError(f'{path}: damaged ({error}); {_AGAIN}') from error
    return found


def _scales(stats: dict[str, Any], largest: int) -> ValueScales:
    values = stats.get('values', {}).get('train', {})
    deviation, mean = values.get('deviation'), values.get('mean')
    entropy = stats.get('entropy', {}).get('train')
    return ValueScales(
        None if deviation is None else tuple((d / largest) ** 2 for d in deviation),
        None if entropy is None else tuple(map(float, entropy)),
        None if mean is None else tuple(m / largest for m in mean),
    )
