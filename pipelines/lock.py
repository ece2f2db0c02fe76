"""One process at a time works in a folder."""

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
    """Holds a folder; the system lets go of it when the process dies, however it dies.

    Where a file system has no locks (gs://, some network ones), nothing is held, and that is said.

    Args:
      folder: that is there.
      flag: that names it, such as '--model_dir'.
      doing: what is done in it, such as 'trains there'.
      say: takes a line for people.

    Yields:
      The lock's file descriptor: a child that inherits it holds the folder too, even when this
      process is dead. None where nothing is held.

    Raises:
      LonghaulError: if another process holds it (it names that one), or nothing can be written
        there.
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
        # The name is for people: on a full disk the lock holds without it.
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
            file.flush()
        yield file.fileno()
