"""One shard and its index: checksums, frames, examples."""

import hashlib
import posixpath
import struct
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from pipelines.format.frames import INDEX_DTYPE, masked_crc
from pipelines.format.records import RecordsInfo
from tools.verify.example import Example
from tools.verify.faults import Report
from tools.verify.tally import Tally

_HEADER, _FOOTER, _CHUNK = 12, 4, 1 << 22
# Bytes from which on the length of a record must be damaged.
_LARGEST = 1 << 30


def verify_shard(
    folder: str, split: str, shard: dict, info: RecordsInfo, *, report: Report, tally: Tally
) -> None:
    """Checks a shard and its index.

    Args:
      folder: of the records.
      split: of the shard.
      shard: its entry in records.json.
      info: from records.json.
      report: takes the faults.
      tally: counts what there is.
    """
    data, index = f'{shard["name"]}.tfrecord', f'{shard["name"]}.index'
    rows = _read_index(folder, index, shard, report)
    path = posixpath.join(folder, data)
    if not tf.io.gfile.exists(path):
        report.add(data, 'missing, though records.json lists it')
        report.unread += shard['examples']
        return
    report.files += 1
    found, size = _sha256(path)
    report.bytes += size
    if size != shard['bytes']:
        report.add(data, f'has {size} bytes, records.json says {shard["bytes"]}')
    before, read = len(report.faults), 0
    for number, offset, payload in _frames(path, data, rows, shard['examples'], report):
        entry = rows[number] if rows is not None and number < len(rows) else None
        read += 1
        _verify_record(data, split, offset, payload, entry, info, report=report, tally=tally)
    report.unread += max(0, shard['examples'] - read)
    # A fault that has been named explains the checksum, and the number of records.
    if found != shard['sha256'] and len(report.faults) == before:
        report.add(data, f'sha256 is {found}, records.json says {shard["sha256"]}')
    if read != shard['examples'] and len(report.faults) == before:
        report.add(data, f'{read} records can be read, records.json says {shard["examples"]}')


def _verify_record(
    file: str,
    split: str,
    offset: int,
    payload: bytes,
    entry: np.void | None,
    info: RecordsInfo,
    *,
    report: Report,
    tally: Tally,
) -> None:
    report.examples += 1
    try:
        example = Example(payload, info)
    except ValueError as error:
        report.add(file, str(error), offset)
        return
    if entry is not None:
        for what in example.faults(entry):
            report.add(file, what, offset)
        place = (int(entry['offset']), int(entry['bytes']))
        if place != (offset, len(payload)):
            report.add(file, f'the index says offset and bytes {place}', offset)
    twice = tally.count(split, example, file=file, offset=offset)
    if twice:
        report.add(file, twice, offset)


def _read_index(folder: str, name: str, shard: dict, report: Report) -> np.ndarray | None:
    path = posixpath.join(folder, name)
    if not tf.io.gfile.exists(path):
        report.add(name, 'missing, though records.json lists it')
        return None
    with tf.io.gfile.GFile(path, 'rb') as file:
        data = file.read()
    report.files += 1
    report.bytes += len(data)
    if hashlib.sha256(data).hexdigest() != shard['index_sha256']:
        report.add(name, 'sha256 is not that of records.json')
    if len(data) != shard['examples'] * INDEX_DTYPE.itemsize:
        report.add(name, f'has {len(data)} bytes, not those of {shard["examples"]} examples')
        return None
    return np.frombuffer(data, INDEX_DTYPE)


def _sha256(path: str) -> tuple[str, int]:
    """The SHA-256 of a file, and the number of its bytes."""
    total, size = hashlib.sha256(), 0
    with tf.io.gfile.GFile(path, 'rb') as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
            size += len(chunk)
    return total.hexdigest(), size


def _frames(
    path: str, name: str, rows: np.ndarray | None, examples: int, report: Report
) -> Iterator[tuple[int, int, bytes]]:
    """Gives number, offset and payload of each whole record; damaged records become faults.

    Behind a record whose length is damaged, the index says where the next one begins. Without it
    nobody knows, and the rest of the shard is unread.
    """
    number = offset = 0
    with tf.io.gfile.GFile(path, 'rb') as file:
        while head := file.read(_HEADER):
            length = struct.unpack('<Q', head[:8])[0] if len(head) == _HEADER else _LARGEST
            crc = struct.unpack('<I', head[8:])[0] if len(head) == _HEADER else None
            if length >= _LARGEST or crc != masked_crc(head[:8]):
                following = _offset_of(rows, number + 1, offset)
                rest = max(0, examples - number - 1)
                what = 'a damaged record: its length does not fit'
                if following is None and rest:
                    what += f'; the {rest:,} records behind it are unread'
                report.add(name, what, offset)
                if following is None:
                    return
                number, offset = number + 1, following
                file.seek(offset)
                continue
            payload, foot = file.read(length), file.read(_FOOTER)
            if len(foot) < _FOOTER:
                unread = max(1, examples - number)
                report.add(name, f'the file ends here; {unread:,} records are unread', offset)
                return
            if struct.unpack('<I', foot)[0] != masked_crc(payload):
                report.add(name, 'a damaged record: its checksum does not fit', offset)
            else:
                yield number, offset, payload
            number += 1
            offset += _HEADER + length + _FOOTER


def _offset_of(rows: np.ndarray | None, number: int, behind: int) -> int | None:
    """Where a record begins, as the index says; None if it does not say so."""
    if rows is None or number >= len(rows) or int(rows['offset'][number]) <= behind:
        return None
    return int(rows['offset'][number])
