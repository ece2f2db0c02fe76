"""csv:FILE_OR_DIR - documents in a CSV table, gzipped or not.

A folder holds train.csv and test.csv (or .csv.gz). A shard's writer reads the whole file once and
keeps the shard's rows: the work is shards x file, the memory one shard.
"""

import csv
import dataclasses
import gzip
import io
import os
from collections.abc import Iterator, Sequence

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected

csv.field_size_limit(1 << 30)


@dataclasses.dataclass(frozen=True)
class CsvTable:
    """Rows of a table.

    `columns`: names of the columns when the file has no header row. `names`: class names; integer
    labels 1..N (or 0..N-1 when a 0 occurs) then stand for them.
    """

    path: str
    text_column: str | None = None
    label_column: str | None = None
    columns: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    kind: str = 'text'
    channels: int = 1

    def splits(self) -> tuple[str, ...]:
        """('train', 'test') for a folder with both, else ('train',)."""
        return tuple(g.split for g in self.groups())

    def groups(self) -> list[Group]:
        """The files, by split; refuses missing files and columns."""
        if not os.path.exists(self.path):
            raise LonghaulError(f'--source=csv:{self.path}: no such file or folder')
        found = [Group(self.path, 'train')]
        if os.path.isdir(self.path):
            candidates = [
                Group(os.path.join(self.path, split + suffix), split)
                for split in ('train', 'test')
                for suffix in ('.csv', '.csv.gz')
            ]
            found = [g for g in candidates if os.path.exists(g.path)]
            if not any(g.split == 'train' for g in found):
                raise LonghaulError(
                    f'--source=csv:{self.path}: holds neither train.csv nor train.csv.gz'
                )
        for group in found:
            self._places(group.path)
        return found

    def _rows(self, path: str) -> Iterator[list[str]]:
        opener = gzip.open if path.endswith('.gz') else open
        try:
            # NUL and bytes that are no UTF-8 arrive as they are, and are judged row by row.
            with opener(path, 'rb') as file:
                text = io.TextIOWrapper(file, 'utf-8', 'surrogateescape', newline='')
                yield from csv.reader(text)
        except (OSError, EOFError, csv.Error) as error:
            raise LonghaulError(f'--source=csv: {path} cannot be read ({error})') from error

    def _data_rows(self, path: str) -> Iterator[tuple[int, list[str]]]:
        """Rows with their numbers, from 0, the header not counted."""
        rows = self._rows(path)
        if self.columns is None:
            next(rows, None)
        return enumerate(rows)

    def _places(self, path: str) -> tuple[int, int | None]:
        """Numbers of the text and the label column."""
        columns = self.columns
        if columns is None:
            header = next(self._rows(path), None)
            if header is None:
                raise LonghaulError(f'--source=csv: {path} is empty')
            columns = tuple(header)
        text = self.text_column or ('text' if 'text' in columns else None)
        label = self.label_column or ('label' if 'label' in columns else None)
        for flag, name in (('--text_column', text), ('--label_column', self.label_column)):
            if flag == '--text_column' and name is None or name is not None and name not in columns:
                raise LonghaulError(
                    f'{flag}={name}: {path} has no such column; it has: {", ".join(columns)}. '
                    'For a file without a header row name them with --csv_columns=A,B,C'
                )
        return columns.index(text), None if label is None else columns.index(label)

    def items(self, group: Group) -> Iterator[Item]:
        """Rows in order; ids are split/row number."""
        text, label = self._places(group.path)
        del text
        for row, cells in self._data_rows(group.path):
            name = None
            if label is not None and label < len(cells):
                name = cells[label].strip() or None
            yield Item(f'{group.split}/{row:07}', group.split, name, group.path, row)

    def read(self, group: str, items: Sequence[Item]) -> Iterator[Payload | Rejected]:
        """Texts as UTF-8; one pass over the file."""
        column, _ = self._places(group)
        wanted = {item.place: None for item in items}
        for row, cells in self._data_rows(group):
            if row in wanted:
                wanted[row] = _text(cells, column)
        for item in items:
            yield wanted[item.place]

    def class_names(self) -> tuple[str, ...] | None:
        """Those of --class_names."""
        return self.names

    def estimated_items(self) -> int:
        """By size: a few hundred bytes a row."""
        return sum(os.path.getsize(g.path) for g in self.groups()) // 300 + 1


def _text(cells: list[str], column: int) -> Payload | Rejected:
    if column >= len(cells):
        return Rejected(f'the row has {len(cells)} columns, the text is number {column + 1}')
    try:
        data = cells[column].encode('utf-8')
    except UnicodeEncodeError:
        return Rejected('the text is not valid UTF-8')
    return Payload(data) if data else Rejected('the text is empty')
