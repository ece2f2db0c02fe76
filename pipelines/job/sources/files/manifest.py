"""manifest:FILE_OR_DIR - image files that the rows of a table name, local or on gs:// and the like.

The table is CSV, TSV or JSON lines, packed or not. It has a column with paths, and may have columns
`label` and `split` (train, validation, test). A folder holds train.csv, and may hold validation.csv
and test.csv (or other suffixes); the names say the splits. Tables and images are read through
Beam's file systems, so that the job can run wherever Beam runs. An image is read when its shard is
written.

A path is relative to the folder of the table, absolute, or remote. The id of an image below that
folder is SPLIT/PATH, as with images:. The id of any other image is SPLIT/ROW: the place of the
image must not change the records. A path with '..' may lead anywhere, as an absolute path may.
"""

import dataclasses
import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.items import Group, Item, Payload, Rejected, Source
from pipelines.job.sources.files.ahead import look_ahead
from pipelines.job.sources.files.paths import (
    check_regular,
    is_file_name,
    is_remote,
    locate,
    read_file,
)
from pipelines.job.sources.splits import find_tables, not_read, split_named, told, unread_splits
from pipelines.job.sources.tables.describing import SUFFIXES, format_of, read_rows
from pipelines.job.sources.tables.rows import parse_label, refuse_resembling, require_columns
from pipelines.job.sources.unchanged import NOTHING, Seen, see

_SPLIT = 'split'
# Images that are fetched from a remote store while others are decoded. More would not be faster:
# Beam makes a client for each, and Python runs one thread at a time.
_AHEAD = 4


class Place(NamedTuple):
    """The place of an item: its row from 0, the path as written, and a verdict ('' for none)."""

    row: int
    path: str
    reason: str = ''
    detail: str = ''


@dataclasses.dataclass(frozen=True)
class Manifest(Source[Place]):
    """The images that rows of tables name; `make_manifest` makes it.

    Attributes:
      path: file or folder.
      path_column: name of the column with paths.
      label_column: name of the column with labels, which a table may lack.
      by_column: whether a column says the split of each row; else the table has one split.
      parts: (table, split, number of rows).
      names: names of the classes, see `labels.resolve`; None: as found.
      delimiter: of CSV, see `Csv`.
      seen: the tables as they were before they were read.
      unread: files with names of splits that are no tables.
    """

    path: str
    path_column: str
    label_column: str
    by_column: bool
    parts: tuple[tuple[str, str, int], ...]
    names: tuple[str, ...] | None = None
    delimiter: str | None = None
    seen: Seen = NOTHING
    unread: tuple[str, ...] = ()
    kind: str = 'image'
    channels: int = 3

    def groups(self) -> list[Group]:
        """The tables and their splits. A table is there once for each split of its rows."""
        return [Group(table, split) for table, split, _ in self.parts]

    def told(self) -> list[str]:
        """What is taken for which split, if the names of tables say it, and what is not read."""
        if self.by_column or self.parts[0][0] == self.path:
            return []
        found = [(posixpath.basename(table), split) for table, split, _ in self.parts]
        return [told(found), *not_read([*self.unread])]

    def items(self, group: Group) -> Iterator[Item[Place]]:
        """Lists rows in order."""
        folder = posixpath.dirname(group.path)
        for number, row in enumerate(read_rows(group.path, self.delimiter)):
            if self.by_column and _split_of(row) != group.split:
                continue
            try:
                path, label, name = self._parse(row, folder)
                place = Place(number, path)
            except Rejected as fault:
                label, name = None, None
                place = Place(number, self._written(row), fault.reason, fault.detail)
            ending = f'{number:06}' if name is None else name
            yield Item(f'{group.split}/{ending}', group.split, label, group.path, place)
        self.seen.check(group.path)

    def _parse(
        self, row: dict[str, Any] | Rejected, folder: str
    ) -> tuple[str, str | None, str | None]:
        """(path as written, label, path below the folder of the table or None)."""
        if isinstance(row, Rejected):
            raise row
        if self.by_column and split_named(row.get(_SPLIT)) is None:
            raise Rejected(f'the split is none of {", ".join(SPLITS)}', f'{row.get(_SPLIT)!r}')
        if not self.by_column and _SPLIT in row:
            raise Rejected('the row has a split, and the first one has none')
        path = row.get(self.path_column)
        if not isinstance(path, str) or not path.strip():
            raise Rejected('the path is missing')
        if not is_file_name(path):
            raise Rejected('the path is no file name')
        label = parse_label(row.get(self.label_column))
        if isinstance(label, Rejected):
            raise label
        return path, label, locate(path, folder).name

    def _written(self, row: dict[str, Any] | Rejected) -> str:
        path = '' if isinstance(row, Rejected) else row.get(self.path_column)
        return path if isinstance(path, str) else ''

    def read(self, group: str, items: Sequence[Item[Place]]) -> Iterator[Payload | Rejected]:
        """Reads image files."""
        folder = posixpath.dirname(group)
        remote = any(is_remote(p) for p in (folder, *(item.place.path for item in items)))
        places = (item.place for item in items)
        return look_ahead(lambda place: _read(place, folder), places, _AHEAD if remote else 0)

    def where(self, item: Item[Place]) -> str:
        """'row N: PATH', after the name of the table where there are several."""
        row = f'row {item.place.row}: {item.place.path}'
        return row if item.group == self.path else f'{posixpath.basename(item.group)}: {row}'

    def estimated_items(self) -> int:
        """The number of rows."""
        return sum(rows for _, _, rows in self.parts)


def _split_of(row: dict[str, Any] | Rejected) -> str:
    """The split of a row. A row without a split is rejected later, and counts as train here."""
    return split_named(None if isinstance(row, Rejected) else row.get(_SPLIT)) or 'train'


def _read(place: Place, folder: str) -> Payload | Rejected:
    if place.reason:
        return Rejected(place.reason, place.detail)
    try:
        return Payload(read_file(locate(place.path, folder).path))
    except Rejected as verdict:
        return verdict


def make_manifest(
    path: str,
    *,
    path_column: str | None = None,
    label_column: str | None = None,
    class_names: tuple[str, ...] | None = None,
    delimiter: str | None = None,
) -> Manifest:
    """Makes the source. Reads the tables once, for their columns and the rows of each split.

    Args:
      path: file or folder, local or remote.
      path_column: column of the path; None: 'path'.
      label_column: column of the label; None: 'label', if there is one.
      class_names: names of the classes by number; None: as found.
      delimiter: of CSV, see `Csv`.

    Raises:
      LonghaulError: for missing tables or columns, or nothing to train on.
    """
    tables, unread = _find_tables(path)
    seen = see(*(table for table, _ in tables if not is_remote(table)))
    splits = [_check_columns(table, path_column, label_column, delimiter) for table, _ in tables]
    by_column = any(splits)
    if by_column and tables[0][1] is not None:
        raise LonghaulError(
            f'--source=manifest:{path}: a table in a folder has its split from its name, and one '
            f'of them has a column {_SPLIT} as well; name that table itself, or drop the column'
        )
    columns = path_column or 'path', label_column or 'label'
    counts: Counter[tuple[str, str]] = Counter()
    for table, split in tables:
        for row in read_rows(table, delimiter):
            counts[table, _split_of(row) if by_column else split or 'train'] += 1
    parts = sorted(counts.items(), key=lambda part: SPLITS.index(part[0][1]))
    if not any(split == 'train' for _, split in counts):
        raise LonghaulError(
            f'--source=manifest:{path}: no row to train on; name a table with some, or give some '
            'of its rows the split train'
        )
    counted = tuple((*key, rows) for key, rows in parts)
    return Manifest(path, *columns, by_column, counted, class_names, delimiter, seen, unread)


def _find_tables(path: str) -> tuple[list[tuple[str, str | None]], tuple[str, ...]]:
    """Finds the tables.

    Returns:
      (table, split that its name says; None for a file that the user has named), and other files
      with names of splits.
    """
    # Beam takes a second to load, and --help lists the sources without it.
    from apache_beam.io.filesystems import FileSystems

    from pipelines.output import names_in

    source = f'--source=manifest:{path}'
    try:
        if path.lower().endswith(SUFFIXES) and not os.path.isdir(path):
            if not FileSystems.exists(path):
                raise LonghaulError(f'{source}: no such file; name a table')
            if not is_remote(path):
                check_regular(path)
            return [(path, None)], ()
        names = names_in(path) if is_remote(path) or os.path.isdir(path) else []
        tables = find_tables(f'manifest:{path}', names, SUFFIXES)
    except LonghaulError:
        raise
    except Rejected as verdict:
        raise LonghaulError(f'{source}: {verdict.reason}; name a table') from verdict
    except Exception as error:
        # File systems raise many kinds of errors.
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise LonghaulError(
            f'{source}: cannot be looked at ({reason}); mend the path, and for gs:// install '
            'longhaul[gcp]'
        ) from error
    if not any(split == 'train' for _, split in tables):
        raise LonghaulError(
            f'{source}: neither a table whose name ends in .csv, .tsv or .jsonl (or these with '
            '.gz, .bz2 or .xz) nor a folder with such a table train; name one'
        )
    found = [(posixpath.join(path, name), split) for name, split in tables]
    return [*found], tuple(unread_splits(names, tables))


def _check_columns(
    table: str, path_column: str | None, label_column: str | None, delimiter: str | None
) -> bool:
    """Checks that wanted columns are there; returns whether the table has a column of splits."""
    wanted = {'path_column': path_column or 'path', 'label_column': label_column}
    columns = require_columns(table, format_of(table, delimiter), wanted)
    if label_column is None:
        refuse_resembling(table, columns, 'label', flag='label_column')
    refuse_resembling(table, columns, _SPLIT)
    return _SPLIT in columns
