"""The index beside each shard, and random access through it.

TFRecordDataset takes no offsets; training in an order that is a function of (seed, epoch, step)
needs them. The framing read here is TFRecord's own: length, its masked crc32c, payload, its masked
crc32c (tensorflow/core/lib/io/record_writer.h), so that every other reader can read the shards too.
"""

import os
import posixpath
import struct
import threading
from collections.abc import Iterable

import google_crc32c
import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo

# One row per example: where its record begins, the payload's bytes, its segments and steps, its id.
INDEX_DTYPE = np.dtype(
    [
        ('offset', '<u8'),
        ('bytes', '<u4'),
        ('segments', '<u4'),
        ('length', '<u8'),
        ('id_hash', '<u8'),
    ]
)
_ENTRY_DTYPE = np.dtype([*INDEX_DTYPE.descr, ('shard', '<u4')])
_HEADER, _FOOTER = 12, 4


def masked_crc(data: bytes) -> int:
    """TFRecord's masked crc32c."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    """One framed TFRecord."""
    length = struct.pack('<Q', len(payload))
    head = length + struct.pack('<I', masked_crc(length))
    return head + payload + struct.pack('<I', masked_crc(payload))


class RecordReader:
    """Thread-safe random access to the examples of one split."""

    def __init__(self, folder: str, split: str, info: RecordsInfo) -> None:
        """Opens the shards and reads their indexes.

        Raises:
          LonghaulError: if a file is missing, or its size is not that of records.json.
        """
        self._paths = [posixpath.join(folder, s['name']) for s in info.shards.get(split, [])]
        parts = []
        for number, shard in enumerate(info.shards.get(split, [])):
            rows = self._read_index(self._paths[number], shard)
            part = np.zeros(len(rows), _ENTRY_DTYPE)
            for name in INDEX_DTYPE.names:
                part[name] = rows[name]
            part['shard'] = number
            parts.append(part)
        self.entries = np.concatenate(parts) if parts else np.zeros(0, _ENTRY_DTYPE)
        self._files = [_File(path) for path in self._paths]

    def _read_index(self, path: str, shard: dict) -> np.ndarray:
        for name in (f'{path}.tfrecord', f'{path}.index'):
            if not tf.io.gfile.exists(name):
                raise LonghaulError(f'{name}: missing, though records.json lists it; {_AGAIN}')
        found = tf.io.gfile.stat(f'{path}.tfrecord').length
        if found != shard['bytes']:
            raise LonghaulError(
                f'{path}.tfrecord: has {found} bytes, records.json says {shard["bytes"]}; {_AGAIN}'
            )
        with tf.io.gfile.GFile(f'{path}.index', 'rb') as file:
            data = file.read()
        if len(data) != shard['examples'] * INDEX_DTYPE.itemsize:
            raise LonghaulError(
                f'{path}.index: has {len(data)} bytes, {shard["examples"]} examples need '
                f'{shard["examples"] * INDEX_DTYPE.itemsize}; {_AGAIN}'
            )
        return np.frombuffer(data, INDEX_DTYPE)

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, i: int) -> bytes:
        """The serialized example number i of the index.

        Raises:
          LonghaulError: if it is damaged; names shard and offset.
        """
        entry = self.entries[i]
        path, offset = f'{self._paths[entry["shard"]]}.tfrecord', int(entry['offset'])
        size = int(entry['bytes'])
        data = self._files[entry['shard']].read(offset, _HEADER + size + _FOOTER)
        payload = data[_HEADER : _HEADER + size]
        if data != frame(payload):
            raise LonghaulError(
                f'{path}: damaged record at offset {offset} (its checksum does not fit); {_AGAIN}'
            )
        return payload

    def read_batch(self, indices: Iterable[int]) -> list[bytes]:
        """The serialized examples of these numbers."""
        return [self.read(i) for i in indices]


_AGAIN = 'write the records again with python -m pipelines.main --overwrite'


class _File:
    """Positioned reads: without a lock on local files, with one elsewhere (gs://, ...)."""

    def __init__(self, path: str) -> None:
        path = f'{path}.tfrecord'
        self._lock = threading.Lock()
        self._descriptor = self._remote = None
        if os.path.exists(path):
            self._descriptor = os.open(path, os.O_RDONLY)
        else:
            self._remote = tf.io.gfile.GFile(path, 'rb')

    def read(self, offset: int, size: int) -> bytes:
        if self._descriptor is not None:
            return os.pread(self._descriptor, size, offset)
        with self._lock:
            self._remote.seek(offset)
            return self._remote.read(size)

    def __del__(self) -> None:
        if getattr(self, '_descriptor', None) is not None:
            os.close(self._descriptor)
