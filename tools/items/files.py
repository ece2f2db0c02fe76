"""The files that a user names, read in batches that fit into memory."""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from pipelines.format.errors import LonghaulError

STDIN = '-'
# Bytes of a batch, beyond which its files are sent before the next ones are read. Each counts as
# the longest one: a model pads them all to its length.
_BATCH_BYTES = 64 << 20
# Bytes of the largest file that is held in memory as a whole.
_MAX_BYTES = 1 << 30
_TOO_LARGE = f'larger than {_MAX_BYTES >> 30} GB'


class Item(NamedTuple):
    """A file and its bytes; `error`: why it cannot be read, its data is empty then."""

    name: str
    data: bytes
    error: str = ''


def find_files(paths: list[str]) -> list[str]:
    """Finds the files named, and those below the folders named, in a fixed order; '-' is stdin.

    Raises:
      LonghaulError: if there is no file.
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
    """Reads a file's bytes, or says why it cannot; never waits for a pipe or a device."""
    try:
        with open_file(name) as file:
            if name != STDIN and os.fstat(file.fileno()).st_size > _MAX_BYTES:
                return Item(name, b'', _TOO_LARGE)
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        return Item(name, b'', error.strerror or type(error).__name__)
    return Item(name, data) if len(data) <= _MAX_BYTES else Item(name, b'', _TOO_LARGE)


@contextlib.contextmanager
def open_file(name: str) -> Iterator[BinaryIO]:
    """Opens a file to read, or standard input.

    Raises:
      OSError: if it cannot be read, or is a pipe or device: it may never end.
    """
    if name == STDIN:
        yield sys.stdin.buffer
        return
    try:
        regular = stat.S_ISREG(os.stat(name).st_mode)
    except ValueError as error:  # A name with a zero byte.
        raise OSError(errno.EINVAL, str(error)) from error
    if not regular:
        raise OSError(errno.EINVAL, 'no regular file')
    with open(name, 'rb') as file:
        yield file


def batches(names: Iterable[str], *, batch_size: int) -> Iterator[list[Item]]:
    """Reads files in batches of up to `batch_size`, of fewer where files are large."""
    batch: list[Item] = []
    longest = 0
    for name in names:
        item = read_item(name)
        size = (len(batch) + 1) * max(longest, len(item.data))
        if batch and (len(batch) == batch_size or size > _BATCH_BYTES):
            yield batch
            batch, longest = [], 0
        batch.append(item)
        longest = max(longest, len(item.data))
    if batch:
        yield batch
