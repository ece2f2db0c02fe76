"""What tables have in common, of documents (csv, jsonl) and of files (see `rows`)."""

import gzip
import os
from collections.abc import Iterable
from typing import BinaryIO

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item
from pipelines.job.sources.splits import find_splits
from pipelines.job.text_encoding import mark_of

_MOST_SHOWN = 300


def is_gzip(path: str) -> bool:
    """Whether a table is packed, by its name."""
    return path.endswith('.gz')


def open_table(path: str) -> BinaryIO:
    """The table's bytes, unpacked.

    Raises:
      LonghaulError: for UTF-16 and UTF-32, in which no row can be found by its bytes.
    """
    with _open(path) as file:
        refuse_wide(path, file.read(4))
    return _open(path)


def refuse_wide(path: str, start: bytes) -> None:
    """Refuses a table that begins as UTF-16 or UTF-32 do.

    Raises:
      LonghaulError: with the command that converts it.
    """
    wide = mark_of(start[:4])
    if wide is not None:
        raise LonghaulError(
            f'--source: {path} is {wide}, and the rows of a table are found by the bytes of their '
            f'line ends; convert it first: iconv -f {wide} -t UTF-8 TABLE > NEW_TABLE'
        )


def _open(path: str) -> BinaryIO:
    return gzip.open(path) if is_gzip(path) else open(path, 'rb')


def find_tables(kind: str, path: str) -> list[Group]:
    """The file itself, or a folder's train.KIND, validation.KIND and test.KIND, packed or not.

    Raises:
      LonghaulError: if there is none to train on.
    """
    source = f'{kind}:{path}'
    if not os.path.exists(path):
        raise LonghaulError(f'--source={source}: no such file or folder; name a table')
    if os.path.isfile(path):
        return [Group(path, 'train')]
    if not os.path.isdir(path):
        raise LonghaulError(
            f'--source={source}: no regular file, and a table is read several times; save it as one'
        )
    found = find_splits(source, path, (f'.{kind}', f'.{kind}.gz'))
    if not any(group.split == 'train' for group in found):
        raise LonghaulError(
            f'--source={source}: holds neither train.{kind} nor train.{kind}.gz; name the file '
            'itself, or rename it'
        )
    return found


def place_of(item: Item, path: str, noun: str) -> str:
    """NOUN N for people; the file's name before it only where there are several."""
    row = f'{noun} {int(item.id.rpartition("/")[2])}'
    return row if item.group == path else f'{os.path.basename(item.group)}: {row}'


def shown(names: Iterable[str]) -> str:
    """Names of columns or keys for a refusal: what is no table may have any number of them."""
    text = ', '.join(names)
    return text if len(text) <= _MOST_SHOWN else f'{text[:_MOST_SHOWN]}...'


def estimate_rows(groups: list[Group]) -> int:
    """By size: some 300 bytes a row, a third of that when packed."""
    sizes = [os.path.getsize(g.path) * (3 if is_gzip(g.path) else 1) for g in groups]
    return sum(sizes) // 300 + 1
