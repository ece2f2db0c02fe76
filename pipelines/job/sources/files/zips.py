"""Entries of a zip: which there are, what is wrong with some, and their bytes.

Nothing is ever unpacked to a disk. What an entry says about itself is not believed: not its size,
and not its name.
"""

import functools
import os
import posixpath
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Rejected
from pipelines.job.sources import limits

# Those whose unpacking can be bounded: zipfile unpacks bzip2 and LZMA without a limit.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# All that zipfile raises for other bytes than it expects.
_DAMAGE = (OSError, EOFError, ValueError, RuntimeError)
_DAMAGE += (struct.error, zipfile.BadZipFile, zlib.error)


def names(path: str) -> Iterator[tuple[str, str, bool]]:
    """(CLASS/NAME, name of the entry, whether that is harmless) of all entries but folders.

    Some programs write ./CLASS/NAME, /CLASS/NAME or CLASS\\NAME; another name stays as it is.
    """
    for entry in _archive(path, _changed(path)).infolist():
        place = entry.orig_filename
        if entry.is_dir():
            continue
        name = place.replace('\\', '/') if '/' not in place else place
        if _fault_of_name(place):
            yield place, place, False
        else:
            yield posixpath.normpath(f'/{name}').lstrip('/'), place, True


def _fault_of_name(place: str) -> str | None:
    if '\0' in place:
        return 'its name holds a zero byte'
    if '..' in place.replace('\\', '/').split('/'):
        return 'its name leads out of the zip'
    return None


def size(path: str, place: str) -> int:
    """What an entry says to be its size."""
    return _open(path)[place].file_size


def read(path: str, place: str) -> bytes:
    """An entry's bytes, unpacked.

    Raises:
      Rejected: for damage, for what is no file, and for more bytes than are believed.
    """
    entry = _open(path)[place]
    fault = _fault_of_name(place) or _fault_of_entry(entry)
    if fault:
        raise Rejected(fault)
    try:
        # By a bound: without one, a megabyte that says to be small is unpacked to gigabytes.
        with _archive(path, _changed(path)).open(entry) as file:
            data = file.read(entry.file_size + 1)
    except _DAMAGE as error:
        raise Rejected('the file cannot be read', type(error).__name__) from error
    if len(data) != entry.file_size:
        raise Rejected('the file cannot be read', f'{len(data)} bytes and not {entry.file_size}')
    return data


def _fault_of_entry(entry: zipfile.ZipInfo) -> str | None:
    if stat.S_ISLNK(entry.external_attr >> 16):
        return 'a link and no file'
    if entry.flag_bits & _ENCRYPTED:
        return 'the file is encrypted'
    if entry.compress_type not in _METHODS:
        return 'the file is packed by another method than deflate'
    if entry.file_size > limits.MOST_BYTES:
        return f'the file is {limits.TOO_LARGE}'
    return None


def _changed(path: str) -> int:
    return os.stat(path).st_mtime_ns


@functools.lru_cache(maxsize=4)
def _archive(path: str, changed: int) -> zipfile.ZipFile:
    """Opens a zip once for all shards of a process; again if it has changed."""
    del changed
    try:
        return zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise LonghaulError(
            f'--source: {path} cannot be opened as a zip ({error}); name a folder or a whole zip'
        ) from error


def _open(path: str) -> dict[str, zipfile.ZipInfo]:
    return _entries(path, _changed(path))


@functools.lru_cache(maxsize=4)
def _entries(path: str, changed: int) -> dict[str, zipfile.ZipInfo]:
    """By whole name: zipfile itself cuts names at a zero byte, and would take one for another."""
    return {entry.orig_filename: entry for entry in _archive(path, changed).infolist()}
