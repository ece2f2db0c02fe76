"""A lock on a folder, so that one process at a time works in it."""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator

from pipelines.format.errors import LonghaulError, first_line

_FILE_NAME = '.lock'


@contextlib.contextmanager
def held(folder: str, *, flag: str, doing: str, say: Callable[[str], None]) -> Iterator[int | None]:
    """Locks a folder. The lock ends with the process, however the process ends.

    Some file systems (gs://, some network disks) have no locks. Then `say` is told so, and nothing
    is locked.

    Args:
      folder: an existing folder.
      flag: the flag that names the folder, such as '--model_dir'.
      doing: what this process does in the folder, such as 'trains there'.
      say: prints a line for users.

    Yields:
      The file descriptor of the lock; None if nothing is locked. A child process that inherits the
      descriptor holds the lock too, even after this process has ended.

    Raises:
      LonghaulError: if another process holds the lock (the message names it), or the folder
        cannot be written to.
    """
    path = os.path.join(folder, _FILE_NAME)
    if not os.path.isdir(folder):
        say(f'{folder}: is no local folder, so it cannot be locked; start nothing else there')
        yield None
        return
    try:
        file = open(path, 'a+')  # noqa: SIM115, closed by `with` below
    except OSError as error:
        raise LonghaulError(
            f'{flag}={folder}: cannot be written to ({first_line(error)}); make it writable, or '
            f'name another {flag}'
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                say(f'{path}: cannot be locked ({error.strerror}); start nothing else there')
                yield None
                return
            file.seek(0)
            owner = file.read().strip() or 'another process'
            raise LonghaulError(
                f'{flag}={folder}: {owner} {doing}; wait for it, end it, or name another {flag}'
            ) from error
        # The lock works without this text, which tells users who holds it: the disk may be full.
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
            file.flush()
        yield file.fileno()
