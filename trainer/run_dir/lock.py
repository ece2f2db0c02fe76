"""One process at a time trains in a model_dir."""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator

from pipelines.format.errors import LonghaulError
from trainer.run_dir.folder import refusing

_FILE_NAME = '.lock'


@contextlib.contextmanager
def held(model_dir: str, *, say: Callable[[str], None]) -> Iterator[None]:
    """Holds a model_dir; the system lets go of it when the process dies, however it dies.

    Where a file system has no locks (gs://, some network ones), nothing is held, and that is said.

    Args:
      model_dir: a folder that is there.
      say: takes a line for people.

    Raises:
      LonghaulError: if another process trains there; it names that one.
    """
    path = os.path.join(model_dir, _FILE_NAME)
    if not os.path.isdir(model_dir):
        say(f'{model_dir}: is no local folder, so it cannot be locked; start no other run there')
        yield
        return
    with refusing(path):
        file = open(path, 'a+')  # noqa: SIM115, closed by `with` below
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                say(f'{path}: cannot be locked ({error.strerror}); start no other run there')
                yield
                return
            file.seek(0)
            owner = file.read().strip() or 'another process'
            raise LonghaulError(
                f'--model_dir={model_dir}: {owner} trains there; wait for it, end it, or name '
                'another --model_dir'
            ) from error
        with refusing(path):
            file.truncate(0)
            file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
            file.flush()
        yield
