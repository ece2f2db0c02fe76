"""Writes the small files of a run."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from pipelines.format.errors import LonghaulError, first_line


def write_atomically(path: str, content: str) -> None:
    """Writes a file so that no reader ever sees half of it.

    Raises:
      LonghaulError: if it cannot be written.
    """
    temporary = f'{path}.partial'
    with refusing(path):
        with tf.io.gfile.GFile(temporary, 'w') as file:
            file.write(content)
        tf.io.gfile.rename(temporary, path, overwrite=True)


@contextlib.contextmanager
def refusing(path: str) -> Iterator[None]:
    """Inside this context, an error of the file system becomes a refusal that names the file."""
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        raise LonghaulError(
            f'{path}: cannot be written ({first_line(error)}); make room, or make it writable: the '
            'same command goes on from the last checkpoint'
        ) from error
