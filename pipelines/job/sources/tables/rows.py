"""Rows of a table by column, whatever its format.

Two kinds of source read tables: `documents`, whose rows hold texts, and those whose rows describe
other files (manifest:, and the label file of npy:). The second kind calls `read_rows`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from io import BufferedIOBase
from typing import Any, NamedTuple, Protocol

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Payload, Rejected
from pipelines.job.text_encoding import is_utf8

_MOST_SHOWN = 300
# From here on, floats do not hold all whole numbers.
_EXACT = 1 << 53


class Row(NamedTuple):
    """A row.

    `values`: by column. `encoding`: the encoding that the whole row was converted from. Rows of CSV
    are converted cell by cell, and have 'utf-8' here.
    """

    values: dict[str, Any]
    encoding: str = 'utf-8'


class Format(Protocol):
    """A format of tables: reads rows, and finds the text and the label of a row."""

    @property
    def noun(self) -> str:
        """The word for a row."""

    @property
    def lacking(self) -> str:
        """The refusal of a table without a wanted column, with fields `path` and `columns`."""

    def columns(self, path: str) -> tuple[str, ...]:
        """Names of the columns, by the first row.

        Raises:
          LonghaulError: if the table cannot be read, is empty, or begins with damage.
        """

    def rows(self, path: str) -> Iterator[tuple[int, Row | Rejected]]:
        """(offset in the unpacked file, row) in order; header and blank lines are left out.

        Raises:
          LonghaulError: as `columns` does.
        """

    def row_at(
        self, file: BufferedIOBase, offset: int, *, path: str, columns: tuple[str, ...]
    ) -> Row | Rejected:
        """Reads the row at an offset of an open, unpacked file of this path and these columns."""

    def label(self, row: Row, column: str) -> str | None | Rejected:
        """The label of a row; None without one."""

    def text(self, row: Row, column: str) -> Payload | Rejected:
        """The text of a row as UTF-8."""


def require_columns(path: str, table: Format, wanted: Mapping[str, str | None]) -> tuple[str, ...]:
    """Reads the columns of a table, and refuses a table without those that flags name.

    Args:
      path: of the table.
      table: its format.
      wanted: column by flag; None: the flag asks for none.

    Returns:
      All columns of the table.

    Raises:
      LonghaulError: for a missing column; as `Format.columns`.
    """
    columns = table.columns(path)
    for flag, name in wanted.items():
        if name is not None and name not in columns:
            lacking = table.lacking.format(path=path, columns=shown(columns))
            raise LonghaulError(f'--{flag}={name}: {lacking}{_other_delimiter(columns)}')
    return columns


def _other_delimiter(columns: tuple[str, ...]) -> str:
    """Advice about a table whose header is one cell, and seems to be parted by another sign."""
    signs = {';': "';'", '\t': 'tab', '|': "'|'"}
    found = [said for sign, said in signs.items() if len(columns) == 1 and sign in columns[0]]
    return f'. If it is parted by another sign, add --delimiter={found[0]}' if found else ''


def resembling(columns: Iterable[str], name: str) -> str | None:
    """A column whose name is almost `name`, such as ' Label' or 'labels'; None without one."""
    if name in columns:
        return None
    near = (name, f'{name}s')
    return next((c for c in columns if re.sub('[^a-z]', '', str(c).lower()) in near), None)


def refuse_resembling(
    path: str, columns: Iterable[str], name: str, *, flag: str | None = None
) -> None:
    """Refuses a table that lacks a column and has one with almost that name.

    Args:
      path: of the table.
      columns: of the table.
      name: of a column that a table may lack.
      flag: the flag that names the column; None: there is none.

    Raises:
      LonghaulError: naming the column that is there.
    """
    near = resembling(columns, name)
    if near is not None:
        other = f'add --{flag}="{near}", or ' if flag else ''
        raise LonghaulError(
            f'--source: {path} has no column {name!r}, but one named {near!r}; {other}rename it'
        )


def parse_label(value: Any) -> str | None | Rejected:
    """The label in a value of a row, which is a string or a whole number; None without a label."""
    if value is None:
        return None
    # What pandas writes for whole numbers beside a missing one.
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return Rejected('the label is neither a string nor a whole number')
    if not is_utf8(str(value)):
        return Rejected('the label is not UTF-8')
    return str(value).strip() or None


def shown(names: Iterable[str]) -> str:
    """Names of columns for a refusal, cut off: a file that is no table may have any number."""
    text = ', '.join(names)
    return text if len(text) <= _MOST_SHOWN else f'{text[:_MOST_SHOWN]}...'
