"""Turns the errors of files that cannot be read into a refusal in one line."""

import contextlib
from collections.abc import Iterator

from pipelines.format.errors import LonghaulError, first_line


@contextlib.contextmanager
def refuses_unreadable(path: str) -> Iterator[None]:
    """A context that turns errors of the file system into a refusal.

    Args:
      path: what is read there, for the refusal.

    Raises:
      LonghaulError: instead of such an error.
    """
    try:
        yield
    except Exception as error:
        # Loaded here: whoever has seen TensorFlow fail has loaded it, and others need not.
        import tensorflow as tf

        if not isinstance(error, OSError | tf.errors.OpError):
            raise
        raise LonghaulError(
            f'{path}: cannot be read ({first_line(error)}); make it readable, or bring it back '
            'from a copy'
        ) from error
