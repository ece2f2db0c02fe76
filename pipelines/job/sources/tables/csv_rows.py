"""Reads the rows of CSV tables with csv.reader, each with its offset.

A damaged row does not affect other rows. The exception is a quote that is never closed: the rest of
the table belongs to the quoted cell, and the verdict about the row says so.
"""

import csv
import dataclasses
import itertools
from collections.abc import Iterator
from io import BufferedIOBase

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Payload, Rejected
from pipelines.job.sources import limits
from pipelines.job.sources.tables.opening import kind_of, open_table
from pipelines.job.sources.tables.rows import Row
from pipelines.job.text_encoding import cell_to_utf8, not_readable

_BOM = b'\xef\xbb\xbf'
_RETURN = 'the row has a carriage return outside of quotes'
UNCLOSED = 'the row opens a quote that is never closed'

# The cells of a row, or why csv.reader cannot read it.
_Cells = list[str] | Rejected


@dataclasses.dataclass(frozen=True)
class Csv:
    """The format of a CSV table, see `rows.Format`.

    Attributes:
      names: of the columns, for a table without a header row; None: it has one.
      encoding: of cells that are not UTF-8; None: such cells are rejected.
      delimiter: between cells; None: a comma, or a tab where the name of the table ends in .tsv.
    """

    names: tuple[str, ...] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    noun: str = 'row'
    lacking: str = (
        '{path} has no such column; its columns are: {columns}. For a file without a header row '
        'name them with --csv_columns=A,B,C'
    )

    def columns(self, path: str) -> tuple[str, ...]:
        """See `rows.Format`; also refuses a header row that --csv_columns repeats."""
        with open_table(path) as file:
            return self._columns(next(_parse(_Lines(file), self._delimiter(path)), None), path)

    def _delimiter(self, path: str) -> str:
        return self.delimiter or ('\t' if kind_of(path) == 'tsv' else ',')

    def _columns(self, first: tuple[int, _Cells] | None, path: str) -> tuple[str, ...]:
        if first is None:
            raise LonghaulError(f'--source: {path} is empty; name a table with rows')
        _, cells = first
        if isinstance(cells, Rejected):
            raise LonghaulError(
                f'--source: the first row of {path} is damaged: {cells.reason}; mend it (a table '
                "whose line ends are carriage returns alone: tr '\\r' '\\n' < TABLE > NEW)"
            )
        if self.names is not None and tuple(cells) == self.names:
            raise LonghaulError(
                f'--csv_columns={",".join(cells)}: {path} has this very header row; leave the '
                'flag out'
            )
        columns = self.names or tuple(cells)
        # Spreadsheets write empty names where a table has no more columns.
        twice = [name for name in columns if name.strip() and columns.count(name) > 1]
        if twice:
            raise LonghaulError(
                f'--source: {path} has {columns.count(twice[0])} columns named {twice[0]!r}; '
                'rename all but one'
            )
        return columns

    def rows(self, path: str) -> Iterator[tuple[int, Row | Rejected]]:
        """See `rows.Format`."""
        with open_table(path) as file:
            found = _parse(_Lines(file), self._delimiter(path))
            first = next(found, None)
            columns = self._columns(first, path)
            if first is not None and self.names is not None:
                found = itertools.chain([first], found)
            for offset, cells in found:
                yield offset, _row(cells, columns)

    def row_at(
        self, file: BufferedIOBase, offset: int, *, path: str, columns: tuple[str, ...]
    ) -> Row | Rejected:
        """See `rows.Format`."""
        file.seek(offset)
        return _row(next(_parse(_Lines(file, offset), self._delimiter(path)))[1], columns)

    def label(self, row: Row, column: str) -> str | None | Rejected:
        """See `rows.Format`; None also where the table has no such column."""
        if column not in row.values:
            return None
        found = cell_to_utf8(row.values[column], self.encoding)
        if found is None:
            return not_readable('the label', self.encoding)
        return found[0].decode('utf-8').strip() or None

    def text(self, row: Row, column: str) -> Payload | Rejected:
        """See `rows.Format`."""
        found = cell_to_utf8(row.values[column], self.encoding)
        if found is None:
            return not_readable('the text', self.encoding)
        return Payload(found[0], encoding=found[1])


def _row(cells: _Cells, columns: tuple[str, ...]) -> Row | Rejected:
    if isinstance(cells, Rejected):
        return cells
    if len(cells) != len(columns):
        return Rejected(
            'the row has another number of columns than the table',
            f'{len(cells)} and not {len(columns)}',
        )
    return Row(dict(zip(columns, cells, strict=True)))


class _Lines:
    """The lines of a table, for csv.reader.

    `position`: offset of the next line. `ended`: whether csv.reader has asked for a line after the
    last one.
    """

    def __init__(self, file: BufferedIOBase, position: int = 0) -> None:
        self._file, self.position, self.ended = file, position, False

    def __iter__(self) -> Iterator[str]:
        while True:
            line, size = limits.read_line(self._file)
            if not line:
                break
            if size > limits.MOST_BYTES:
                raise csv.Error(f'a line is {limits.TOO_LARGE}')
            start = line.removeprefix(_BOM) if self.position == 0 else line
            self.position += size
            # Bytes that are not UTF-8 become surrogate escapes, and are judged cell by cell.
            yield start.decode('utf-8', 'surrogateescape')
        self.ended = True


def _parse(lines: _Lines, delimiter: str) -> Iterator[tuple[int, _Cells]]:
    """(offset, cells) of each row from the next line on; blank lines are left out.

    Raises:
      csv.Error: for a line or a cell beyond the limit: nobody knows where the next row begins.
    """
    csv.field_size_limit(limits.MOST_BYTES)
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        begin, first = lines.position, reader.line_num
        try:
            cells: _Cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if 'new-line' not in str(error):
                raise
            cells = Rejected(_RETURN)
        # csv.reader asks for a line after the last one only if a quote is open.
        if lines.ended:
            cells = Rejected(UNCLOSED, f'and took {reader.line_num - first} lines with it')
        if cells:
            yield begin, cells
