"""Rows of a table that describes other files: CSV or JSON lines, gzipped or not, local or remote.

Unlike a table of documents it is small beside what it describes, and is read as a whole.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from apache_beam.io.filesystems import CompressionTypes, FileSystems

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Rejected
from pipelines.job.sources.tables import is_gzip
from pipelines.job.text_encoding import is_utf8

SUFFIXES = ('.csv', '.csv.gz', '.jsonl', '.jsonl.gz')


def columns_of(path: str) -> tuple[str, ...]:
    """The header row of a CSV table, or the keys of the first object.

    Raises:
      LonghaulError: if the table cannot be read, or holds none.
    """
    if not _is_json(path):
        header = next(_cells(path), None)
        if header is None:
            raise LonghaulError(f'--source: {path} is empty; name a table with a header row')
        return tuple(header)
    first = next(read_rows(path), None)
    if first is None:
        raise LonghaulError(f'--source: {path} is empty; name a file with objects')
    if isinstance(first, Rejected):
        raise LonghaulError(
            f'--source: the first line of {path} is no JSON object; one object a line is needed'
        )
    return tuple(first)


def read_rows(path: str) -> Iterator[dict[str, Any] | Rejected]:
    """Rows by column, in order; the header and blank lines are left out.

    Raises:
      LonghaulError: if the table cannot be read.
    """
    if _is_json(path):
        for line in _lines(path):
            values = _object(line)
            yield Rejected('the line is no JSON object') if values is None else values
        return
    rows = _cells(path)
    header = next(rows, [])
    for cells in rows:
        if len(cells) == len(header):
            yield dict(zip(header, cells, strict=True))
        else:
            yield Rejected(
                'the row has another number of columns than the table',
                f'{len(cells)} and not {len(header)}',
            )


def parse_label(value: Any) -> str | None | Rejected:
    """A label as a row has it, a string or a whole number; None where there is none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return Rejected('the label is neither a string nor a whole number')
    if not is_utf8(str(value)):
        return Rejected('the label is not UTF-8')
    return str(value).strip() or None


def _is_json(path: str) -> bool:
    return path.removesuffix('.gz').endswith('.jsonl')


def _cells(path: str) -> Iterator[list[str]]:
    def cells(file: BinaryIO) -> Iterator[list[str]]:
        """Bytes that are no UTF-8 arrive as they are: file names may hold such."""
        text = io.TextIOWrapper(file, 'utf-8-sig', errors='surrogateescape', newline='')
        return (row for row in csv.reader(text) if row)

    return _read(path, cells)


def _lines(path: str) -> Iterator[bytes]:
    return _read(path, lambda file: (line for line in file if line.strip()))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line.decode('utf-8-sig'))
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _read(path: str, parse: Any) -> Iterator[Any]:
    """What `parse` makes of the unpacked file; refuses one that cannot be read."""
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            yield from parse(gzip.GzipFile(fileobj=file) if is_gzip(path) else file)
    except Exception as error:
        # Every file system has errors of its own.
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise LonghaulError(
            f'--source: {path} cannot be read ({reason}); mend the file, or name another one'
        ) from error
