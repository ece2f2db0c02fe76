"""Tables whose rows describe other files: a list of images, the labels of arrays.

Unlike a table of documents such a table is small beside what it describes. It is UTF-8, CSV (or
TSV) or JSON lines by the name of its file, packed or not, local or remote.
"""

from collections.abc import Iterator
from typing import Any

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Rejected
from pipelines.job.sources.tables.csv_rows import UNCLOSED, Csv
from pipelines.job.sources.tables.json_rows import JsonLines
from pipelines.job.sources.tables.opening import kind_of, suffixes_of
from pipelines.job.sources.tables.rows import Format

SUFFIXES = suffixes_of('csv', 'tsv', 'jsonl')


def format_of(path: str, delimiter: str | None = None) -> Format:
    """The format of a table, by its name; `delimiter`: see `Csv`."""
    if kind_of(path) == 'jsonl':
        return JsonLines()
    return Csv(delimiter=delimiter, lacking='{path} has no such column; its columns are: {columns}')


def read_rows(path: str, delimiter: str | None = None) -> Iterator[dict[str, Any] | Rejected]:
    """Yields the values of each row, by column. Bytes of CSV that are not UTF-8 are surrogate
    escapes.

    Raises:
      LonghaulError: as `Format.rows`; for a quote that is never closed.
    """
    for number, (_, row) in enumerate(format_of(path, delimiter).rows(path)):
        # Such a row is one line. The lines that the open quote takes would be missing.
        if isinstance(row, Rejected) and row.reason == UNCLOSED:
            raise LonghaulError(
                f'--source: {path}: row {number} (from 0) opens a quote that is never closed, '
                f'{row.detail}; mend the row'
            )
        yield row if isinstance(row, Rejected) else row.values
