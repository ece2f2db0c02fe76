"""One process at a time trains in a model_dir."""

import contextlib
import errno
import fcntl
import os
import socket
import sys
from collections.abc import Iterator

import tensorflow as tf

from pipelines.format.errors import LonghaulError

_FILE_NAME = '.lock'


@contextlib.contextmanager
def held(model_dir: str) -> Iterator[None]:
    """Holds a model_dir; the system lets go of it when the process dies, however it dies.

    Where a file system has no locks (gs://, some network ones), nothing is held, and that is said.

    Args:
      model_dir: a folder that is there.

    Raises:
      LonghaulError: if another process trains there; it names that one.
    """
    path = os.path.join(model_dir, _FILE_NAME)
    if not os.path.isdir(model_dir):
        # Not a local path, though tf.io.gfile knows it.
        assert tf.io.gfile.isdir(model_dir), model_dir
        yield
        return
    with open(path, 'a+') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                print(f'{path}: cannot be locked ({error.strerror})', file=sys.stderr, flush=True)
                yield
                return
            file.seek(0)
            owner = file.read().strip() or 'another process'
            raise LonghaulError(
                f'--model_dir={model_dir}: {owner} trains there; wait for it, end it, or name '
                'another --model_dir'
            ) from error
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
        file.flush()
        yield
