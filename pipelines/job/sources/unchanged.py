"""Notices that a file has changed since a job began to read it.

Rows are listed first and read later, by their place: in a changed table, texts would get the labels
of other rows.
"""

import os
import socket
from typing import NamedTuple

from pipelines.format.errors import LonghaulError
from pipelines.job.sources.listing import names_in


class Seen(NamedTuple):
    """The size and the time of some local files, taken before the first is read.

    `files`: by path, the size in bytes and the time of the last change in ns. `host`: the machine
    that saw them; on another one, copies of the files may have other times.
    """

    files: dict[str, tuple[int, int]]
    host: str

    def check(self, path: str) -> None:
        """Refuses a file that has changed; other files than those seen are not checked.

        Raises:
          LonghaulError: if the size or the time is another one, or the file is gone.
        """
        if path in self.files and not self._same(path, *self.files[path]):
            raise LonghaulError(
                f'--source: {path} has changed while the job reads it, so that its rows would get '
                'mixed up; run the job again when nothing writes to the file any more'
            )

    def _same(self, path: str, size: int, changed: int) -> bool:
        try:
            found = os.stat(path)
        except OSError:
            return False
        same_time = found.st_mtime_ns == changed or socket.gethostname() != self.host
        return found.st_size == size and same_time


def see(*paths: str) -> Seen:
    """Takes the size and the time of local files, and of all files directly in local folders.

    Raises:
      LonghaulError: for a folder that cannot be listed.
    """
    found = {}
    for path in paths:
        names = names_in(path) if os.path.isdir(path) else ()
        for file in [os.path.join(path, name) for name in names] or [path]:
            if os.path.isfile(file):
                about = os.stat(file)
                found[file] = about.st_size, about.st_mtime_ns
    return Seen(found, socket.gethostname())


NOTHING = Seen({}, '')
