"""csv:FILE_OR_DIR and jsonl:FILE_OR_DIR - documents as rows of a table, packed or not.

A folder holds train.csv, validation.csv and test.csv (or .csv.gz; likewise .jsonl). A row's place
is its byte offset, so that a shard's writer reads its own rows alone. A packed table has no
offsets to go to: each shard's writer unpacks all of it once (work: shards x table; memory: one
shard). Unpack large ones first.
"""

import dataclasses
import os
from collections.abc import Iterator, Sequence

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected, Source
from pipelines.job.sources import splits
from pipelines.job.sources.clutter import is_clutter
from pipelines.job.sources.listing import names_in
from pipelines.job.sources.tables.csv_rows import Csv
from pipelines.job.sources.tables.json_rows import JsonLines
from pipelines.job.sources.tables.opening import is_packed, open_table, suffixes_of
from pipelines.job.sources.tables.rows import (
    Format,
    Row,
    refuse_resembling,
    require_columns,
    resembling,
)
from pipelines.job.sources.unchanged import NOTHING, Seen, see
from pipelines.job.text_encoding import check_encoding


@dataclasses.dataclass(frozen=True)
class Documents(Source[int]):
    """Rows with a text and, if they have one, a label.

    Attributes:
      prefix: of --source, and suffix of the tables in a folder.
      path: file or folder.
      table: the format of the tables.
      text_column: name of the column; None: 'text'.
      label_column: name of the column; None: 'label', if the table or object has it.
      names: names of the classes, see `labels.resolve`; None: as found.
      seen: the tables as they were before they were read.
    """

    prefix: str
    path: str
    table: Format
    text_column: str | None = None
    label_column: str | None = None
    names: tuple[str, ...] | None = None
    seen: Seen = NOTHING
    kind: str = 'text'
    channels: int = 1

    def groups(self) -> list[Group]:
        """The tables and their splits; refuses missing files and columns."""
        found = _find_tables(self.prefix, self.path)
        wanted = {'text_column': self.text_column or 'text', 'label_column': self.label_column}
        for group in found:
            columns = require_columns(group.path, self.table, wanted)
            if self.label_column is None:
                refuse_resembling(group.path, columns, 'label', flag='label_column')
            split = 'split' if 'split' in columns else resembling(columns, 'split')
            if split is not None:
                self._refuse_column(split, group)
        return found

    def _refuse_column(self, name: str, group: Group) -> None:
        source = f'--source={self.prefix}:{self.path}'
        if group.path != self.path:
            raise LonghaulError(
                f'{source}: a table in a folder has its split from its name, and '
                f'{os.path.basename(group.path)} has a column {name!r} as well; drop the column, '
                'or rename it'
            )
        raise LonghaulError(
            f'{source}: has a column {name!r}, which this source does not read: put the rows of '
            f'each split into train.{self.prefix}, validation.{self.prefix} and '
            f'test.{self.prefix} in a folder, or rename it'
        )

    def told(self) -> list[str]:
        """What is taken for which split, and what is not read."""
        if not os.path.isdir(self.path):
            return []
        found = [(os.path.basename(g.path), g.split) for g in _find_tables(self.prefix, self.path)]
        names = [name for name in names_in(self.path) if not is_clutter(name)]
        unread = [name for name in names if name not in dict(found)]
        return [splits.told(found), *splits.not_read(unread)]

    def items(self, group: Group) -> Iterator[Item[int]]:
        """Lists rows in order; ids are SPLIT/ROW, from 0, without the header and blank lines."""
        packed = is_packed(group.path)
        for number, (offset, row) in enumerate(self.table.rows(group.path)):
            label = row if isinstance(row, Rejected) else self._label(row)
            # `read` rejects a row that cannot be used. Such a row must not add a class.
            known = None if isinstance(label, Rejected) else label
            place = number if packed else offset
            yield Item(f'{group.split}/{number:06}', group.split, known, group.path, place)
        self.seen.check(group.path)

    def read(self, group: str, items: Sequence[Item[int]]) -> Iterator[Payload | Rejected]:
        """Reads texts as UTF-8."""
        if is_packed(group):
            places = {item.place for item in items}
            rows = enumerate(row for _, row in self.table.rows(group))
            found = {number: self._payload(row) for number, row in rows if number in places}
            self.seen.check(group)
            yield from (found[item.place] for item in items)
            return
        columns = self.table.columns(group)
        with open_table(group) as file:
            for item in items:
                row = self.table.row_at(file, item.place, path=group, columns=columns)
                self.seen.check(group)
                yield self._payload(row)

    def _label(self, row: Row) -> str | None | Rejected:
        if 'split' in row.values:
            return Rejected('the row has a split, and the first one has none')
        return self.table.label(row, self.label_column or 'label')

    def _payload(self, row: Row | Rejected) -> Payload | Rejected:
        if isinstance(row, Rejected):
            return row
        label = self._label(row)
        if isinstance(label, Rejected):
            return label
        return self.table.text(row, self.text_column or 'text')

    def where(self, item: Item[int]) -> str:
        """'row N' or 'object N', after the file's name where there are several."""
        row = f'{self.table.noun} {int(item.id.rpartition("/")[2])}'
        return row if item.group == self.path else f'{os.path.basename(item.group)}: {row}'

    def estimated_items(self) -> int:
        """A number by size: a row is taken to have 300 bytes, and a third of that when packed."""
        paths = [group.path for group in self.groups()]
        return sum(os.path.getsize(p) * (3 if is_packed(p) else 1) for p in paths) // 300 + 1


def make_csv(
    path: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    csv_columns: tuple[str, ...] | None = None,
    delimiter: str | None = None,
    class_names: tuple[str, ...] | None = None,
    encoding: str | None = None,
) -> Documents:
    """Makes the source csv:FILE_OR_DIR; the other arguments are the flags of these names."""
    table = Csv(csv_columns, check_encoding(encoding, table=True), delimiter)
    return Documents('csv', path, table, text_column, label_column, class_names, see(path))


def make_json_lines(
    path: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    class_names: tuple[str, ...] | None = None,
    encoding: str | None = None,
) -> Documents:
    """Makes the source jsonl:FILE_OR_DIR; the other arguments are the flags of these names."""
    table = JsonLines(check_encoding(encoding, table=True))
    return Documents('jsonl', path, table, text_column, label_column, class_names, see(path))


# By prefix: endings of the tables that are read, and of those that are not.
_KINDS = {'csv': (('csv', 'tsv'), ('jsonl',)), 'jsonl': (('jsonl',), ('csv', 'tsv'))}


def _find_tables(prefix: str, path: str) -> list[Group]:
    """The table itself, or train.PREFIX and so on (or train.PREFIX.gz) in a folder."""
    source = f'{prefix}:{path}'
    if not os.path.exists(path):
        raise LonghaulError(f'--source={source}: no such file or folder; name a table')
    if os.path.isfile(path):
        return [Group(path, 'train')]
    if not os.path.isdir(path):
        raise LonghaulError(
            f'--source={source}: no regular file, and a table is read several times; save it as one'
        )
    own, others = _KINDS[prefix]
    found = splits.find_tables(source, names_in(path), suffixes_of(*own), suffixes_of(*others))
    if not any(split == 'train' for _, split in found):
        raise LonghaulError(
            f'--source={source}: holds neither train.{prefix} nor train.{prefix}.gz; name the file '
            'itself, or rename it'
        )
    return [Group(os.path.join(path, name), split) for name, split in found]
