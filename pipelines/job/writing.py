"""Writes small files, and turns the errors of a full disk into a refusal in one line."""

import contextlib
import errno
import hashlib
from collections.abc import Iterator

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from pipelines.format.errors import LonghaulError
from pipelines.format.records import unfinished_name

# Only writing raises these.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def write_text(path: str, text: str, *, job: str = '') -> str:
    """Writes a text file that appears when it is complete.

    Args:
      path: of the file.
      text: its content.
      job: whose file it is, for the name that it has until it is complete.

    Returns:
      The sha256 of the content.
    """
    unfinished = unfinished_name(path, job)
    with FileSystems.create(unfinished, mime_type='text/plain') as file:
        file.write(text.encode())
    FileSystems.rename([unfinished], [path])
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def refuses_full_disk(folder: str) -> Iterator[None]:
    """A context that turns the errors of a full or read-only disk into a refusal.

    Args:
      folder: the output.

    Raises:
      LonghaulError: instead of such an error.
    """
    try:
        yield
    except (OSError, BeamIOError) as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise LonghaulError(
            f'--output={folder}: cannot be written any further ({reason}); make room there, or '
            'name another folder, and run the same command again'
        ) from error


def _reason(error: BaseException) -> str | None:
    """The text of the first such error, also among those that Beam has wrapped; None without."""
    details = getattr(error, 'exception_details', None) or {}
    for found in (error, *details.values()):
        if isinstance(found, OSError) and found.errno in _FULL:
            return found.strerror
    return None
