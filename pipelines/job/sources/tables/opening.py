"""Opens a table's file: CSV or JSON lines, plain or packed, local or remote.

The first bytes of a file say how it is packed, whatever its name is.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import re
from collections.abc import Callable, Iterator
from typing import Any

from pipelines.format.errors import LonghaulError
from pipelines.job.text_encoding import mark_of

_PACKED = ('', '.gz', '.bz2', '.xz')
# First bytes, and what unpacks the rest.
_UNPACKERS: dict[bytes, Callable[[Any], Any]] = {
    rb'\x1f\x8b': lambda file: gzip.GzipFile(fileobj=file),
    rb'BZh[1-9](1AY&SY|\x17rE8P\x90)': bz2.BZ2File,
    rb'\xfd7zXZ\0': lzma.LZMAFile,
}
# First bytes, what a file is then, and what to do with it.
_UNREAD = (
    (rb'PK\x03\x04', 'a zip or a workbook', 'unpack it, or save its sheet as CSV'),
    (rb'\x28\xb5\x2f\xfd', 'packed by zstd', 'unpack it: zstd -d TABLE'),
    (rb'7z\xbc\xaf\x27\x1c', 'packed by 7-Zip', 'unpack it'),
    (rb'\xd0\xcf\x11\xe0', 'a workbook', 'save its sheet as CSV'),
    (rb'PAR1', 'a Parquet file', 'save it as CSV or JSON lines'),
)
_MOST_MAGIC = 10


def suffixes_of(*kinds: str) -> tuple[str, ...]:
    """The endings of tables of some kinds, such as 'csv': plain and packed, in small letters."""
    return tuple(f'.{kind}{packed}' for packed in _PACKED for kind in kinds)


def kind_of(path: str) -> str:
    """The ending of a table's name in small letters, without the dot and how it is packed."""
    name = path.lower()
    ending = next((packed for packed in _PACKED[1:] if name.endswith(packed)), '')
    return name.removesuffix(ending).rpartition('.')[2]


def is_packed(path: str) -> bool:
    """Whether a local table is packed, by its first bytes."""
    with open(path, 'rb') as file:
        return _unpacker(file.read(_MOST_MAGIC)) is not None


def _unpacker(start: bytes) -> Callable[[Any], Any] | None:
    return next((make for magic, make in _UNPACKERS.items() if re.match(magic, start)), None)


@contextlib.contextmanager
def open_table(path: str) -> Iterator[io.BufferedIOBase]:
    """Opens a table and yields a file of its unpacked bytes.

    Raises:
      LonghaulError: if the file cannot be read, also if reads in the `with` block fail; if it is
        packed in a way that is not read; if the table is UTF-16 or UTF-32.
    """
    # Beam takes a second to load, and --help lists the sources without it.
    from apache_beam.io.filesystems import CompressionTypes, FileSystems

    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            # The reader of gs:// cannot read lines: without a buffer, Python would request single
            # bytes.
            plain = io.BufferedReader(file)
            start = plain.peek(_MOST_MAGIC)[:_MOST_MAGIC]
            _refuse_unread(path, start)
            make = _unpacker(start)
            unpacked = plain if make is None else make(plain)
            _refuse_wide(path, unpacked.peek(4))
            yield unpacked
    except LonghaulError:
        raise
    except Exception as error:
        # File systems raise many kinds of errors.
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise LonghaulError(
            f'--source: {path} cannot be read ({reason}); mend the file, or name another one'
        ) from error


def _refuse_unread(path: str, start: bytes) -> None:
    for magic, what, advice in _UNREAD:
        if re.match(magic, start):
            raise LonghaulError(
                f'--source: {path} is {what}, by its first bytes, and no table of text; {advice}'
            )


def _refuse_wide(path: str, start: bytes) -> None:
    """Refuses UTF-16 and UTF-32: no row of such a table can be found by its bytes."""
    wide = mark_of(start[:4])
    if wide is not None:
        raise LonghaulError(
            f'--source: {path} is {wide}, and the rows of a table are found by the bytes of their '
            f'line ends; convert it first: iconv -f {wide} -t UTF-8 TABLE > NEW_TABLE'
        )
