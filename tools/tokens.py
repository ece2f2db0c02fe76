"""The token that a server wants of its clients, in a file of its own: nobody else may read it."""

import os
import stat

from pipelines.format.errors import LonghaulError

_LEAST = 16
_MOST_BYTES = 1 << 12


def read_token(path: str) -> str:
    """The token in a file; '' for no file.

    Args:
      path: of --token_file.

    Raises:
      LonghaulError: if the file holds no token, or others may read it.
    """
    if not path:
        return ''
    try:
        with open(path, encoding='ascii') as file:
            shared = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
            text = file.read(_MOST_BYTES).strip()
    except (OSError, ValueError) as error:
        why = getattr(error, 'strerror', None) or 'is no text'
        raise LonghaulError(
            f'--token_file={path}: cannot be read ({why}); name a file with a token'
        ) from error
    if shared:
        raise LonghaulError(f'--token_file={path}: other users may read it; chmod 600 it')
    if len(text) < _LEAST or not text.isprintable() or ' ' in text:
        raise LonghaulError(
            f'--token_file={path}: one token of {_LEAST} characters or more is needed, such as '
            '`openssl rand -hex 32` writes'
        )
    return text
