"""The files that a user names, read in batches that fit into memory."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipelines.format.errors import LonghaulError

STDIN = '-'
# Bytes of a batch, beyond which its files are sent before the next ones are read.
_BATCH_BYTES = 64 << 20


class Item(NamedTuple):
    """A file and its bytes; `error`: why it cannot be read, its data is empty then."""

    name: str
    data: bytes
    error: str = ''


def find_files(paths: list[str]) -> list[str]:
    """The files named, and those below the folders named, in a fixed order; '-' is stdin.

    Raises:
      LonghaulError: if there is none.
    """
    found = [file for path in paths for file in _below(path)]
    if not found:
        raise LonghaulError(
            f'FILE={" ".join(paths)}: no file found; name files, or folders that hold some'
        )
    return found


def _below(path: str) -> Iterator[str]:
    if path == STDIN or not os.path.isdir(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (os.path.join(folder, name) for name in sorted(names))


def read_item(name: str) -> Item:
    """A file's bytes, or why it cannot be read; nothing that never ends is waited for."""
    if name == STDIN:
        return Item(name, sys.stdin.buffer.read())
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):
            return Item(name, b'', 'no regular file')
        with open(name, 'rb') as file:
            return Item(name, file.read())
    except OSError as error:
        return Item(name, b'', error.strerror or type(error).__name__)


def batches(names: Iterable[str], *, batch_size: int) -> Iterator[list[Item]]:
    """Files in batches: of up to `batch_size`, fewer where they are large."""
    batch: list[Item] = []
    size = 0
    for name in names:
        item = read_item(name)
        if batch and (len(batch) == batch_size or size + len(item.data) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.data)
    if batch:
        yield batch
