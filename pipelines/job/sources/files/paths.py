"""Paths as a table of files has them: relative to its folder, absolute, or gs:// and the like."""

import os
import posixpath
import stat
from typing import NamedTuple

from apache_beam.io.filesystems import CompressionTypes, FileSystems

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Rejected
from pipelines.job.sources import limits
from pipelines.job.text_encoding import is_utf8

# Of HTTP, which all of Beam's remote file systems give their errors.
_MISSING, _FORBIDDEN = (404,), (401, 403)


class Located(NamedTuple):
    """A path to open, and its name below a folder with '/'; None for a path outside of it."""

    path: str
    name: str | None


def is_remote(path: str) -> bool:
    """Whether a path names a file system, as gs:// does."""
    return FileSystems.get_scheme(path) is not None


def is_file_name(path: str) -> bool:
    """Whether a path can be one at all; bytes that are no UTF-8 can, as surrogate escapes."""
    try:
        return b'\0' not in path.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        return False


def locate(written: str, folder: str) -> Located:
    """Finds what a path means; looks at no file.

    Args:
      written: relative to the folder (with '..' if it must be), absolute and local, or remote.
      folder: local or remote.

    Raises:
      Rejected: for a remote path that leaves its bucket.
    """
    if is_remote(written):
        path = full = written
    elif is_remote(folder) and not os.path.isabs(written):
        path = full = _below_bucket(written, folder)
    else:
        # Opened as written: behind a link, '..' is another folder than the text says.
        path = os.path.join(folder, written)
        full = os.path.abspath(path)
    root = folder if is_remote(folder) else os.path.abspath(folder)
    prefix = root.rstrip('/') + '/'
    return Located(path, full.removeprefix(prefix) if full.startswith(prefix) else None)


def _below_bucket(written: str, folder: str) -> str:
    """Object stores know no '..': the path is normalised."""
    scheme, _, rest = folder.partition('://')
    bucket = rest.partition('/')[0]
    found = posixpath.normpath(posixpath.join(rest, written))
    if found.partition('/')[0] != bucket:
        raise Rejected('the path leaves its bucket')
    return f'{scheme}://{found}'


def read_file(path: str) -> bytes:
    """All bytes of a file.

    Raises:
      Rejected: if there is none to read.
      LonghaulError: if it might be read at another time; Beam tries again, and gives up at last.
    """
    try:
        most = limits.MOST_BYTES + 1
        if not is_remote(path):
            check_regular(path)
            most = min(most, os.path.getsize(path))
        elif not is_utf8(path):
            raise Rejected('the path is not UTF-8')
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            # One call: each one is a request to a remote store.
            data = file.read(most)
        if len(data) > limits.MOST_BYTES:
            raise Rejected(f'the file is {limits.TOO_LARGE}')
        return data
    except (Rejected, LonghaulError):
        raise
    except Exception as error:
        # Every file system has errors of its own.
        verdict = _verdict(error, remote=is_remote(path))
        if verdict is None:
            raise LonghaulError(
                f'{path} cannot be read ({type(error).__name__}: {error}); run the job again'
            ) from error
        raise verdict from error


def check_regular(path: str) -> None:
    """Rejects all but regular files: a pipe or a device would be read without end.

    Raises:
      Rejected: for a folder, a pipe or a device.
      OSError: if nothing is there, or links go in circles.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise Rejected('a folder, not a file')
    if not stat.S_ISREG(mode):
        raise Rejected('no regular file')


def _verdict(error: Exception, *, remote: bool) -> Rejected | None:
    """None: none about the item, since another attempt may succeed."""
    code = getattr(error, 'code', None)
    if isinstance(error, FileNotFoundError | NotADirectoryError) or code in _MISSING:
        return Rejected('no such file')
    if isinstance(error, PermissionError) or code in _FORBIDDEN:
        return Rejected('the file may not be read')
    if remote and isinstance(error, ValueError):
        return Rejected('no file system for the path (gs:// needs longhaul[gcp])')
    # Beam raises it for objects that it cannot read (gs:// ones that are compressed twice): that is
    # about the file. All else that a remote file system says is an outage, and no verdict.
    if remote and not isinstance(error, NotImplementedError):
        return None
    detail = os.strerror(error.errno) if getattr(error, 'errno', None) else type(error).__name__
    return Rejected('the file cannot be read', detail)
