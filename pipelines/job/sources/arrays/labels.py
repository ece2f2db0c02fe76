"""Reads the label file of a folder of arrays: labels.csv or labels.jsonl.

Its columns are file, label and perhaps split. A fault in it stops the job: the file is small, and
easy to mend.
"""

import os
import posixpath
from typing import Any, NamedTuple

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.items import Rejected
from pipelines.job.sources.files.paths import is_file_name
from pipelines.job.sources.splits import split_named
from pipelines.job.sources.tables.describing import format_of, read_rows
from pipelines.job.sources.tables.rows import parse_label, refuse_resembling, shown

LABEL_FILES = ('labels.csv', 'labels.jsonl')


class Entry(NamedTuple):
    """The row of an array in the label file; None for a missing value."""

    label: str | None
    split: str | None


def read_labels(folder: str) -> dict[str, Entry]:
    """Entries by the path of the array below the folder, with '/'; empty without a label file.

    Raises:
      LonghaulError: for two label files, missing columns, or a row that cannot be understood.
    """
    paths = [p for name in LABEL_FILES if os.path.exists(p := os.path.join(folder, name))]
    if not paths:
        return {}
    if len(paths) > 1:
        raise LonghaulError(
            f'--source=npy:{folder}: holds {" and ".join(LABEL_FILES)}; keep the one that counts'
        )
    columns = format_of(paths[0]).columns(paths[0])
    if 'file' not in columns:
        raise LonghaulError(
            f'--source=npy: {paths[0]} has no column file; its columns are: {shown(columns)}; '
            'file, label and perhaps split are needed'
        )
    for name in ('label', 'split'):
        refuse_resembling(paths[0], columns, name)
    entries: dict[str, Entry] = {}
    for number, row in enumerate(read_rows(paths[0])):
        try:
            name, entry = _parse(row, by_column='split' in columns)
            if name in entries:
                raise Rejected('the file is named a second time', name)
        except Rejected as fault:
            detail = f' ({fault.detail})' if fault.detail else ''
            raise LonghaulError(
                f'--source=npy: {paths[0]}, row {number} (from 0): {fault.reason}{detail}; mend '
                'the row'
            ) from fault
        entries[name] = entry
    return entries


def _parse(row: dict[str, Any] | Rejected, *, by_column: bool) -> tuple[str, Entry]:
    if isinstance(row, Rejected):
        raise row
    file, said = row.get('file'), row.get('split')
    split = split_named(said)
    if not isinstance(file, str) or not file.strip() or not is_file_name(file):
        raise Rejected('the file has no name')
    name = posixpath.normpath(file)
    if name.startswith(('/', '../')) or name in ('.', '..'):
        raise Rejected('the file lies outside of the folder', file)
    if (by_column or 'split' in row) and split is None:
        raise Rejected(f'the split is none of {", ".join(SPLITS)}', f'{said!r}')
    if split is not None and not by_column:
        raise Rejected('the row has a split, and the first one has none')
    label = parse_label(row.get('label'))
    if isinstance(label, Rejected):
        raise label
    return name, Entry(label, split)
