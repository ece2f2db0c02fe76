"""Lists the files of a prepared TFDS data set, and reads records from anywhere in them.

A record of an array_record file is found by its number, and a record of a tfrecord file by its byte
offset. Without the offset, the file would be read from its beginning for every shard of the output.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.frames import frame

_HEADER, _FOOTER = 12, 4
_FORMATS = ('tfrecord', 'array_record')
_AGAIN = 'remove its folder, and have it prepared again'


class RecordsFile(NamedTuple):
    """A file of a prepared data set.

    `split`: the split of TFDS. `first`: number of its first record in the split. `records`: how
    many it has. `path`: the absolute path.
    """

    split: str
    first: int
    records: int
    path: str

    @property
    def name(self) -> str:
        """The name of the file, which does not depend on the folder of the data set."""
        return os.path.basename(self.path)


def list_files(builder: Any, split: str) -> list[RecordsFile]:
    """The files of a split, in the order that TFDS has prepared them in."""
    found, first = [], 0
    for file in builder.info.splits[split].file_instructions:
        found.append(RecordsFile(split, first, file.take, os.fspath(file.filename)))
        first += file.take
    return found


def check_format(builder: Any, name: str) -> None:
    """Refuses a format without random access."""
    if _format(builder) not in _FORMATS:
        raise LonghaulError(
            f'--source=tfds:{name}: its data are prepared as {_format(builder)}; '
            f'{" and ".join(_FORMATS)} are read: prepare them as one of these (tfds build '
            '--file_format)'
        )


def list_records(builder: Any, file: RecordsFile) -> Iterator[tuple[int, bytes]]:
    """(place, serialized tf.train.Example) of all records, in order.

    Raises:
      LonghaulError: if the file is missing, damaged, or has another number of records.
    """
    if _format(builder) == 'tfrecord':
        records = _walk(file)
    else:
        records = enumerate(_numbered(builder, file, range(file.records)))
    count = 0
    with _damage_refused(file):
        for place, record in records:
            yield place, record
            count += 1
    if count != file.records:
        raise LonghaulError(
            f'--source=tfds: {file.path} has {count} records, not {file.records}; {_AGAIN}'
        )


def read_records(builder: Any, file: RecordsFile, places: Sequence[int]) -> Iterator[bytes]:
    """The serialized examples at some places, in their order.

    Raises:
      LonghaulError: if the file is missing or damaged.
    """
    with _damage_refused(file):
        if _format(builder) == 'tfrecord':
            yield from _seek(file, places)
        else:
            yield from _numbered(builder, file, places)


def _format(builder: Any) -> str:
    return builder.info.file_format.value


def _numbered(builder: Any, file: RecordsFile, numbers: Sequence[int]) -> Iterator[bytes]:
    """Records by their numbers, through the random access of TFDS."""
    import tensorflow_datasets as tfds

    source = builder.as_data_source(
        f'{file.split}[{file.first}:{file.first + file.records}]',
        deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
    )
    for number in numbers:
        record = source[number]
        # The reader gives an empty record for a file that is cut off where a block begins.
        if not record:
            raise OSError(f'record {number} is empty')
        yield record


def _walk(file: RecordsFile) -> Iterator[tuple[int, bytes]]:
    """(offset, record) of all records, by TensorFlow's reader, which checks the checksums."""
    import tensorflow as tf

    offset = 0
    for record in tf.data.TFRecordDataset(file.path).as_numpy_iterator():
        yield offset, record
        offset += _HEADER + len(record) + _FOOTER


def _seek(file: RecordsFile, offsets: Sequence[int]) -> Iterator[bytes]:
    for offset in offsets:
        # The file is closed in between: a shard reads from all files, perhaps a thousand.
        with open(file.path, 'rb') as opened:
            opened.seek(offset)
            header = opened.read(_HEADER)
            record = opened.read(int.from_bytes(header[:8], 'little'))
            framed = header + record + opened.read(_FOOTER)
        if framed != frame(record):
            raise OSError(f'damaged at offset {offset}')
        yield record


@contextlib.contextmanager
def _damage_refused(file: RecordsFile) -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except (OSError, IndexError, RuntimeError, tf.errors.OpError) as error:
        raise LonghaulError(
            f'--source=tfds: {file.path} cannot be read ({first_line(error)}); {_AGAIN}'
        ) from error
