"""Rows of a table that describes other files: CSV or JSON lines, gzipped or not, local or remote.

Unlike a table of documents it is small beside what it describes, and is read as a whole.
"""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from apache_beam.io.filesystems import CompressionTypes, FileSystems

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Rejected
from pipelines.job.sources import limits
from pipelines.job.sources.tables.csv_rows import UNCLOSED, Cells, Lines, parse
from pipelines.job.sources.tables.opening import is_gzip, refuse_wide
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
        if isinstance(header, Rejected):
            raise LonghaulError(
                f'--source: the first row of {path} is damaged: {header.reason}; mend it'
            )
        return tuple(header)
    first = next(read_rows(path), None)
    if first is None:
        raise LonghaulError(f'--source: {path} is empty; name a file with objects')
    if isinstance(first, Rejected):
        raise LonghaulError(
            f'--source: the first line of {path} cannot be used, since {first.reason}; one object '
            'a line is needed'
        )
    return tuple(first)


def read_rows(path: str) -> Iterator[dict[str, Any] | Rejected]:
    """Rows by column, in order; the header and blank lines are left out.

    Raises:
      LonghaulError: if the table cannot be read.
    """
    if _is_json(path):
        yield from map(_object, _lines(path))
        return
    rows = _cells(path)
    header = next(rows, [])
    for cells in rows:
        if isinstance(cells, Rejected):
            yield cells
        elif len(cells) == len(header):
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


def _cells(path: str) -> Iterator[Cells]:
    """The header row too. Bytes that are no UTF-8 arrive as they are: file names may hold such."""
    for number, (_, cells) in enumerate(_read(path, lambda file: parse(Lines(file)))):
        # Unlike a document, a row of this kind is one line: what it takes would be missing.
        if number and isinstance(cells, Rejected) and cells.reason == UNCLOSED:
            raise LonghaulError(
                f'--source: {path}: row {number - 1} (from 0) opens a quote that is never closed, '
                f'{cells.detail}; mend the row'
            )
        yield cells


def _lines(path: str) -> Iterator[bytes]:
    def lines(file: BinaryIO) -> Iterator[bytes]:
        """Blank ones are left out; long ones are cut off just beyond the limit."""
        while line := limits.read_line(file)[0]:
            if line.strip():
                yield line

    return _read(path, lines)


def _object(line: bytes) -> dict[str, Any] | Rejected:
    if len(line) > limits.MOST_BYTES:
        return Rejected(f'the line is {limits.TOO_LARGE}')
    try:
        values = json.loads(line.decode('utf-8-sig'))
    except (ValueError, RecursionError):
        values = None
    return values if isinstance(values, dict) else Rejected('the line is no JSON object')


def _read(path: str, read: Callable[[BinaryIO], Iterator[Any]]) -> Iterator[Any]:
    """What `read` makes of the unpacked file; refuses one that cannot be read."""
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            # Google's reader has no lines of its own: Python would ask it for single bytes.
            unpacked = gzip.GzipFile(fileobj=file) if is_gzip(path) else io.BufferedReader(file)
            refuse_wide(path, unpacked.peek(4))
            yield from read(unpacked)
    except LonghaulError:
        raise
    except Exception as error:
        # Every file system has errors of its own.
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise LonghaulError(
            f'--source: {path} cannot be read ({reason}); mend the file, or name another one'
        ) from error
