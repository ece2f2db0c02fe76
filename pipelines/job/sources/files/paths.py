"""Finds and reads files that a table names, by relative, absolute or remote paths."""

import os
import posixpath
import stat
from typing import NamedTuple

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Rejected
from pipelines.job.sources import limits
from pipelines.job.text_encoding import is_utf8

# Codes of HTTP: the errors of all remote file systems of Beam have them.
_MISSING, _FORBIDDEN = (404,), (401, 403)
# What Beam raises for a scheme whose libraries or options are missing; which one, depends on it.
_NOT_INSTALLED = (ValueError, ImportError, AssertionError, NameError)


class Located(NamedTuple):
    """`path`: to open. `name`: the path below the table's folder with '/'; None outside of it."""

    path: str
    name: str | None


def is_remote(path: str) -> bool:
    """Whether a path begins with the scheme of a file system, such as gs://."""
    # Beam takes a second to load, and --help lists the sources without it.
    from apache_beam.io.filesystems import FileSystems

    return FileSystems.get_scheme(path) is not None


def is_file_name(path: str) -> bool:
    """Whether a text can be a path. Bytes that are not UTF-8 are allowed, as surrogate escapes."""
    try:
        return b'\0' not in path.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        return False


def locate(written: str, folder: str) -> Located:
    """Finds the file that a path means; does not look whether it is there.

    Args:
      written: a path relative to the folder, absolute and local, or remote.
      folder: of the table, local or remote.

    Raises:
      Rejected: for a remote path that leaves its bucket.
    """
    if is_remote(written):
        path = full = written
    elif is_remote(folder) and not os.path.isabs(written):
        path = full = _below_bucket(written, folder)
    else:
        # The path is opened as written: behind a link, '..' leads elsewhere than its text says.
        path = os.path.join(folder, written)
        full = os.path.abspath(path)
    root = folder if is_remote(folder) else os.path.abspath(folder)
    prefix = root.rstrip('/') + '/'
    return Located(path, full.removeprefix(prefix) if full.startswith(prefix) else None)


def _below_bucket(written: str, folder: str) -> str:
    """A path relative to a remote folder, without '..', which object stores do not know."""
    scheme, _, rest = folder.partition('://')
    bucket = rest.partition('/')[0]
    found = posixpath.normpath(posixpath.join(rest, written))
    if found.partition('/')[0] != bucket:
        raise Rejected('the path leaves its bucket')
    return f'{scheme}://{found}'


def read_file(path: str) -> bytes:
    """Reads a file.

    Raises:
      Rejected: if the file is missing, too large or not readable.
      LonghaulError: if a remote store fails. Beam tries again, and gives up after some attempts.
    """
    from apache_beam.io.filesystems import CompressionTypes, FileSystems

    try:
        most = limits.MOST_BYTES + 1
        if not is_remote(path):
            check_regular(path)
            most = min(most, os.path.getsize(path))
        elif not is_utf8(path):
            raise Rejected('the path is not UTF-8')
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            # One call, since each call is a request to a remote store.
            data = file.read(most)
        if len(data) > limits.MOST_BYTES:
            raise Rejected(f'the file is {limits.TOO_LARGE}')
        return data
    except (Rejected, LonghaulError):
        raise
    except Exception as error:
        # File systems raise many kinds of errors.
        verdict = _verdict(error, remote=is_remote(path))
        if verdict is None:
            raise LonghaulError(
                f'{path} cannot be read ({type(error).__name__}: {error}); run the job again'
            ) from error
        raise verdict from error


def check_regular(path: str) -> None:
    """Rejects all but regular files. Reading a pipe or a device might never end.

    Raises:
      Rejected: for a folder, a pipe or a device.
      OSError: if there is no such file, or links lead in circles.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise Rejected('a folder, not a file')
    if not stat.S_ISREG(mode):
        raise Rejected('no regular file')


def errno_text(error: Exception) -> str:
    """The system's text for an error, without the path: paths differ between machines."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else type(error).__name__


def _causes(error: Exception) -> list[BaseException]:
    """The error, and those that Beam has wrapped."""
    details = getattr(error, 'exception_details', None) or {}
    return [error, *(e for e in details.values() if isinstance(e, BaseException))]


def _verdict(error: Exception, *, remote: bool) -> Rejected | None:
    """The verdict about a file; None if another attempt to read it may succeed."""
    code = getattr(error, 'code', None)
    if isinstance(error, FileNotFoundError | NotADirectoryError) or code in _MISSING:
        return Rejected('no such file')
    if isinstance(error, PermissionError) or code in _FORBIDDEN:
        return Rejected('the file may not be read')
    if remote and any(isinstance(cause, _NOT_INSTALLED) for cause in _causes(error)):
        return Rejected('no file system for the path (gs:// needs longhaul[gcp])')
    # Beam raises NotImplementedError for objects that are compressed twice, which is about the
    # file. Any other error of a remote file system is an outage.
    if remote and not isinstance(error, NotImplementedError):
        return None
    return Rejected('the file cannot be read', errno_text(error))
