"""Lists and reads the entries of a zip.

Nothing is unpacked to a disk. An entry states its name and its size, and both may be wrong: they
are checked.
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

# zipfile can unpack these up to a limit. It unpacks bzip2 and LZMA without one.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# A name of 64 KiB could otherwise stand for 32,767 folders.
_MOST_FOLDERS = 100
# Errors that zipfile raises for a damaged file.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def names(path: str) -> Iterator[tuple[str, str, bool]]:
    """(CLASS/NAME, name of the entry, whether the name is harmless) of all entries but folders.

    Some programs write ./CLASS/NAME, /CLASS/NAME or CLASS\\NAME, which all become CLASS/NAME.
    """
    archive, _ = _opened(path)
    for entry in archive.infolist():
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
    if place.replace('\\', '/').count('/') > _MOST_FOLDERS:
        return f'its name has more than {_MOST_FOLDERS} folders'
    return None


def size(path: str, place: str) -> int:
    """The size that an entry states, in bytes."""
    return _opened(path)[1][place].file_size


def read(path: str, place: str) -> bytes:
    """Reads and unpacks an entry.

    Raises:
      Rejected: for damage, for a link, and for an entry that is too large or not of its stated
        size.
      LonghaulError: if the entry is gone since it was listed.
    """
    archive, entries = _opened(path)
    entry = entries.get(place)
    if entry is None:
        raise LonghaulError(
            f'--source: {path} has changed while the job reads it: {place!r} is gone; run the job '
            'again when nothing writes to the file any more'
        )
    fault = _fault_of_name(place) or _fault_of_entry(entry)
    if fault:
        raise Rejected(fault)
    try:
        # With a limit. Otherwise an entry could state a small size and unpack to gigabytes.
        with archive.open(entry) as file:
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


_Opened = tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]


def _opened(path: str) -> _Opened:
    """A zip and its entries. A process opens it once, and again if it has changed."""
    return _open(path, os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _open(path: str, changed: int) -> _Opened:
    del changed
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise LonghaulError(
            f'--source: {path} cannot be opened as a zip ({error}); name a folder or a whole zip'
        ) from error
    # By full name: zipfile itself cuts names at a zero byte, and would mix entries up.
    return archive, {entry.orig_filename: entry for entry in archive.infolist()}
