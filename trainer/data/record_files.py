"""Whether records are those that their description, or a run, knows."""

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.records import FILE_NAME, RecordsInfo
from pipelines.format.unreadable import refuses_unreadable

_CHUNK = 1 << 22
# Reading them takes less time than TensorFlow's import.
_FEW_BYTES = 100_000_000
_AGAIN = 'bring it back from a copy, or run python -m pipelines.main again with --overwrite'


def check_files(
    folder: str, info: RecordsInfo, *, all_shards: bool, say: Callable[[str], None]
) -> None:
    """Checks records.json by its own checksum, and the shards by those in it.

    Args:
      folder: of the records.
      info: from `records.read_info`.
      all_shards: whether all shards are read, and one that differs is refused. Without it, those of
        a small data set are read, and a difference is said.
      say: takes a line for people.

    Raises:
      LonghaulError: naming the file.
    """
    # Records of an older job have no checksum.
    if info.sha256 and info.sha256 != info.content_sha256():
        raise LonghaulError(
            f'{posixpath.join(folder, FILE_NAME)}: its own sha256 does not fit: it is damaged, or '
            f'somebody has changed it; {_AGAIN}'
        )
    size = sum(int(shard['bytes']) for shards in info.shards.values() for shard in shards)
    if not all_shards and size > _FEW_BYTES:
        return
    for path in _differing(folder, info):
        fact = f'{path}: its sha256 is not that in {FILE_NAME}'
        if all_shards:
            raise LonghaulError(f'{fact}; python -m tools.verify {folder} says more; {_AGAIN}')
        say(f'{fact}: other records lie there, or damaged ones; --check_shards refuses them')


def _differing(folder: str, info: RecordsInfo) -> Iterator[str]:
    for shards in info.shards.values():
        for shard in shards:
            path = posixpath.join(folder, shard['name'])
            for name, key in ((f'{path}.tfrecord', 'sha256'), (f'{path}.index', 'index_sha256')):
                # Whoever reads this split refuses a missing file.
                if tf.io.gfile.exists(name) and _sha256(name) != shard.get(key):
                    yield name


def _sha256(path: str) -> str:
    total = hashlib.sha256()
    with refuses_unreadable(path), tf.io.gfile.GFile(path, 'rb') as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def identity(info: RecordsInfo) -> dict[str, str]:
    """What tells these examples from others: a hash of the shards' checksums, by split."""
    return {split: _hash(shards) for split, shards in info.shards.items() if shards}


def _hash(shards: list[dict[str, Any]]) -> str:
    checksums = [shard.get('sha256') for shard in shards]
    return hashlib.sha256(json.dumps(checksums).encode()).hexdigest()


def other_splits(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """The splits in which two identities differ; none if one of them is not known."""
    if not before or not now:
        return []
    return sorted(split for split in before | now if before.get(split) != now.get(split))
