"""The index beside each shard, and random access to the records through the index.

The order of training is a function of (seed, epoch, step), which needs records at any offset.
TFRecordDataset has no such access.
"""

import os
import posixpath
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.frames import INDEX_DTYPE, frame
from pipelines.format.records import RecordsInfo
from pipelines.format.unreadable import refuses_unreadable

_ENTRY_DTYPE = np.dtype([*INDEX_DTYPE.descr, ('shard', '<u4')])
_HEADER, _FOOTER = 12, 4
# File descriptors that stay open per split. A process usually may have 1,024 in all.
_MAX_OPEN = 256
_AGAIN = 'write the records again with python -m pipelines.main --overwrite'


class RecordReader:
    """Thread-safe random access to the examples of one split.

    Attributes:
      entries: a row for every example, shard after shard: the fields of INDEX_DTYPE and 'shard'.
      paths: the files of the shards; 'shard' is the place in this list.
    """

    def __init__(self, folder: str, split: str, info: RecordsInfo) -> None:
        """Reads the indexes of a split.

        Args:
          folder: of the records; any path that tf.io.gfile understands.
          split: 'train', 'validation' or 'test'; a split that the records lack has no examples.
          info: from `records.read_info`.

        Raises:
          LonghaulError: if a file is missing or unreadable, or disagrees with records.json or with
            its index.
        """
        shards = info.shards.get(split, [])
        paths = [posixpath.join(folder, shard['name']) for shard in shards]
        parts = [np.zeros(0, _ENTRY_DTYPE)]
        for number, (path, shard) in enumerate(zip(paths, shards, strict=True)):
            rows = _read_index(path, shard)
            part = np.zeros(len(rows), _ENTRY_DTYPE)
            for name in rows.dtype.fields or ():
                part[name] = rows[name]
            part['shard'] = number
            parts.append(part)
        self.entries = np.concatenate(parts)
        self.paths = [f'{path}.tfrecord' for path in paths]
        self._files = [_File(path, keep=i < _MAX_OPEN) for i, path in enumerate(self.paths)]

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, i: int) -> bytes:
        """The serialized example number i of `entries`.

        Raises:
          LonghaulError: if it is damaged or unreadable; names shard and offset.
        """
        entry = self.entries[i]
        file, offset, size = self._files[entry['shard']], int(entry['offset']), int(entry['bytes'])
        with refuses_unreadable(file.path):
            data = file.read(offset, _HEADER + size + _FOOTER)
        payload = data[_HEADER : _HEADER + size]
        if data != frame(payload):
            raise LonghaulError(
                f'{file.path}: damaged record at offset {offset} (its checksum does not fit); '
                f'{_AGAIN}'
            )
        return payload

    def read_batch(self, indices: Iterable[int]) -> list[bytes]:
        """The serialized examples of these numbers."""
        return [self.read(i) for i in indices]


def _read_index(path: str, shard: dict[str, Any]) -> np.ndarray:
    """The rows of a shard's index, INDEX_DTYPE [N]; refuses files whose sizes do not fit."""
    for name in (f'{path}.tfrecord', f'{path}.index'):
        if not tf.io.gfile.exists(name):
            raise LonghaulError(f'{name}: missing, though records.json lists it; {_AGAIN}')
    found = tf.io.gfile.stat(f'{path}.tfrecord').length
    if found != shard['bytes']:
        raise LonghaulError(
            f'{path}.tfrecord: has {found} bytes, records.json says {shard["bytes"]}; {_AGAIN}'
        )
    with (
        refuses_unreadable(f'{path}.index'),
        tf.io.gfile.GFile(f'{path}.index', 'rb') as file,
    ):
        data = file.read()
    needed = shard['examples'] * INDEX_DTYPE.itemsize
    if len(data) != needed:
        raise LonghaulError(
            f'{path}.index: has {len(data)} bytes, the {shard["examples"]} examples of '
            f'records.json need {needed}; {_AGAIN}'
        )
    rows = np.frombuffer(data, INDEX_DTYPE)
    # A record begins where the record before it ends.
    sizes = rows['bytes'].astype(np.uint64) + np.uint64(_HEADER + _FOOTER)
    if np.any(rows['offset'] != np.cumsum(sizes) - sizes) or found != sizes.sum():
        raise LonghaulError(f'{path}.index: does not fit {path}.tfrecord; {_AGAIN}')
    return rows


class _File:
    """Reads a file at any offset; files that are not local (gs://, ...) under a lock."""

    def __init__(self, path: str, *, keep: bool) -> None:
        """Opens nothing yet.

        Args:
          path: of the file.
          keep: whether the file's descriptor stays open after the first read.
        """
        self.path, self._keep = path, keep
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._remote: tf.io.gfile.GFile | None = None
        self._local = os.path.exists(path)

    def read(self, offset: int, size: int) -> bytes:
        """Reads at most `size` bytes, fewer where the file ends."""
        if not self._local:
            with self._lock:
                if self._remote is None:
                    self._remote = tf.io.gfile.GFile(self.path, 'rb')
                self._remote.seek(offset)
                return self._remote.read(size)
        if not self._keep:
            with open(self.path, 'rb', buffering=0) as file:
                return os.pread(file.fileno(), size, offset)
        with self._lock:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDONLY)
        return os.pread(self._descriptor, size, offset)

    def __del__(self) -> None:
        # Not set where the constructor has failed.
        descriptor = getattr(self, '_descriptor', None)
        if descriptor is not None:
            os.close(descriptor)
