"""csv:FILE_OR_DIR - documents in a CSV table, gzipped or not.

A folder holds train.csv, validation.csv and test.csv (or .csv.gz). A row's place is its byte
offset, so that a shard's writer reads its own rows alone. A gzipped table has no offsets to go to:
each shard's writer unpacks all of it once (work: shards x table; memory: one shard). Unpack large
ones first.
"""

import csv
import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected
from pipelines.job.sources.tables.csv_rows import Cells, Lines, parse
from pipelines.job.sources.tables.opening import (
    estimate_rows,
    find_tables,
    is_gzip,
    open_table,
    place_of,
    shown,
)
from pipelines.job.text_encoding import cell_to_utf8, not_readable

_MALFORMED = 'the row has another number of columns than the table'


class _Columns(NamedTuple):
    """Positions of the text and the label, and how many columns a row has."""

    text: int
    label: int | None
    count: int


@dataclasses.dataclass(frozen=True)
class CsvTable:
    """Rows of a table.

    Attributes:
      path: file or folder.
      text_column: name; None: 'text'.
      label_column: name; None: 'label' if there is such a column.
      csv_columns: names of the columns of a file without a header row.
      names: those of the classes, see `labels.resolve`.
      encoding: of cells that are no UTF-8; None: there are none.
    """

    path: str
    text_column: str | None = None
    label_column: str | None = None
    csv_columns: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    encoding: str | None = None
    kind: str = 'text'
    channels: int = 1

    def groups(self) -> list[Group]:
        """The files, by split; refuses missing files and columns."""
        found = find_tables('csv', self.path)
        for group in found:
            self._columns(group.path)
        return found

    def _columns(self, path: str) -> _Columns:
        first = next(_rows(path), None)
        if first is None:
            raise LonghaulError(f'--source=csv: {path} is empty; name a table with rows')
        _, cells = first
        if isinstance(cells, Rejected):
            raise LonghaulError(
                f'--source=csv: the first row of {path} is damaged: {cells.reason}; mend it (a '
                "table whose line ends are carriage returns alone: tr '\\r' '\\n' < TABLE > NEW)"
            )
        if self.csv_columns is not None and tuple(cells) == self.csv_columns:
            raise LonghaulError(
                f'--csv_columns={",".join(cells)}: {path} has this very header row; leave the '
                'flag out'
            )
        names = self.csv_columns or tuple(cells)
        text = _position('text_column', self.text_column or 'text', names, path)
        if self.label_column is None and 'label' not in names:
            return _Columns(text, None, len(names))
        label = _position('label_column', self.label_column or 'label', names, path)
        return _Columns(text, label, len(names))

    def _data_rows(self, path: str) -> Iterator[tuple[int, Cells]]:
        rows = _rows(path)
        if self.csv_columns is None:
            next(rows, None)
        return rows

    def items(self, group: Group) -> Iterator[Item]:
        """Rows in order; ids are SPLIT/ROW, from 0, the header and blank lines not counted."""
        columns = self._columns(group.path)
        for row, (offset, cells) in enumerate(self._data_rows(group.path)):
            place = row if is_gzip(group.path) else offset
            label = self._label(cells, columns)
            yield Item(f'{group.split}/{row:06}', group.split, label, group.path, place)

    def read(self, group: str, items: Sequence[Item]) -> Iterator[Payload | Rejected]:
        """Texts as UTF-8."""
        columns = self._columns(group)
        if not is_gzip(group):
            with open(group, 'rb') as file:
                for item in items:
                    file.seek(item.place)
                    yield self._text(next(parse(Lines(file, item.place)))[1], columns)
            return
        wanted: dict[int, Payload | Rejected] = {}
        places = {item.place for item in items}
        for row, (_, cells) in enumerate(self._data_rows(group)):
            if row in places:
                wanted[row] = self._text(cells, columns)
        for item in items:
            yield wanted[item.place]

    def _label(self, cells: Cells, columns: _Columns) -> str | None:
        """None also for a row that will be rejected: it must not add a class."""
        malformed = isinstance(cells, Rejected) or len(cells) != columns.count
        if malformed or columns.label is None:
            return None
        label = cell_to_utf8(cells[columns.label], self.encoding)
        return None if label is None else label[0].decode('utf-8').strip() or None

    def _text(self, cells: Cells, columns: _Columns) -> Payload | Rejected:
        if isinstance(cells, Rejected):
            return cells
        if len(cells) != columns.count:
            return Rejected(_MALFORMED, f'{len(cells)} and not {columns.count}')
        if columns.label is not None and cell_to_utf8(cells[columns.label], self.encoding) is None:
            return not_readable('the label', self.encoding)
        text = cell_to_utf8(cells[columns.text], self.encoding)
        if text is None:
            return not_readable('the text', self.encoding)
        return Payload(text[0], encoding=text[1])

    def where(self, item: Item) -> str:
        """FILE: row N, the file only where there are several."""
        return place_of(item, self.path, 'row')

    def class_names(self) -> tuple[str, ...] | None:
        """Those of --class_names."""
        return self.names

    def image_size(self) -> None:
        """Texts have none."""

    def estimated_items(self) -> int:
        """By size."""
        return estimate_rows(self.groups())


def _rows(path: str) -> Iterator[tuple[int, Cells]]:
    """(offset in the unpacked table, cells) of each row."""
    try:
        with open_table(path) as file:
            yield from parse(Lines(file))
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise LonghaulError(
            f'--source=csv: {path} cannot be read ({error}); mend the file, or name another one'
        ) from error


def _position(flag: str, name: str, names: tuple[str, ...], path: str) -> int:
    if name in names:
        return names.index(name)
    raise LonghaulError(
        f'--{flag}={name}: {path} has no such column; its columns are: {shown(names)}. '
        'For a file without a header row name them with --csv_columns=A,B,C'
    )
