"""Lists folders, and refuses those that may not be listed: their files would be missing."""

import os
from typing import NoReturn

from pipelines.format.errors import LonghaulError


def names_in(folder: str) -> list[str]:
    """The names of files and folders directly in a local folder, in order.

    Raises:
      LonghaulError: if the folder cannot be listed.
    """
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        refuse_folder(error)


def refuse_folder(error: OSError) -> NoReturn:
    """Refuses a folder that cannot be listed; also for os.walk, which would pass over it.

    Raises:
      LonghaulError: always.
    """
    raise LonghaulError(
        f'--source: the folder {error.filename} cannot be listed ({error.strerror}); make it '
        'readable, or move it away'
    ) from error
