"""Shows the progress of a job on the terminal.

A thread of the launcher counts the finished shards and the bytes in the output folder: this works
for all runners and file systems. If the workers are threads of this process, the thread also shows
how many items they have listed and written. No error of this thread stops the job.
"""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from pipelines import output
from pipelines.format.records import finished_name
from pipelines.job.metrics import HERE
from pipelines.status_line import StatusLine

_TERMINAL_SECONDS, _LOG_SECONDS = 1.0, 30.0
_DATA = '.tfrecord'


class Progress:
    """Prints progress while a `with` block runs.

    A terminal shows one line, which changes every second and disappears at the end. Any other
    stream, such as a log, gets a line every 30 seconds.
    """

    def __init__(
        self,
        folder: str,
        *,
        shards: int,
        in_this_process: bool,
        many_items: int | None = None,
        stream: TextIO | None = None,
    ) -> None:
        """Prints nothing yet.

        Args:
          folder: of the output.
          shards: number of shards of all splits together.
          in_this_process: whether the workers are threads of this process.
          many_items: number of listed items that a note about clusters appears at; None: never.
          stream: the stream to print to; None: stderr.
        """
        self._folder, self._shards, self._many = folder, shards, many_items
        self._counting, self._stream = in_this_process, stream or sys.stderr
        self._status = StatusLine(self._stream)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='progress', daemon=True)
        self._begun = time.monotonic()

    def __enter__(self) -> 'Progress':
        HERE.clear()
        self._begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        # The job ends even if the file system does not answer the thread.
        self._thread.join(timeout=5)
        self._warn()
        self._print(self._status.clear)

    def _run(self) -> None:
        while not self._stop.wait(_TERMINAL_SECONDS if self._status.on else _LOG_SECONDS):
            try:
                line = self.line()
            except Exception:  # noqa: BLE001 - an unreadable folder is for the job to refuse
                continue
            if self._stop.is_set():
                return
            self._warn()
            self._print(self._status.show if self._status.on else self._status.write, line)

    def _warn(self) -> None:
        if self._counting and self._many and HERE['listed'] >= self._many:
            self._print(
                self._status.write,
                f'note: more than {self._many:,} items, and this machine holds the names of all of '
                'them in memory: docs/job.md says when a cluster should take over',
            )
            self._many = None

    def _print(self, how: Callable[..., None], *text: str) -> None:
        try:
            how(*text)
        except (OSError, ValueError):
            # The terminal is closed.
            self._stop.set()

    def line(self) -> str:
        """The line: shards, bytes, examples and time, or 'listing' before the first byte."""
        finished, size = self._look()
        seconds = int(time.monotonic() - self._begun)
        parts = [f'{finished} of {self._shards} shards', f'{size / 1e6:,.0f} MB']
        if not finished and not size:
            listed = HERE['listed'] if self._counting else 0
            parts = [f'{listed:,} items listed' if listed else 'listing']
        elif self._counting:
            parts.append(f'{HERE["written"]:,} examples')
            if HERE['rejected']:
                parts.append(f'{HERE["rejected"]:,} rejected')
        return ', '.join([*parts, f'{seconds // 60}:{seconds % 60:02}'])

    def _look(self) -> tuple[int, int]:
        """(number of finished shards, bytes of all shards)."""
        found = output.sizes(self._folder)
        shards = {k: size for k, size in found.items() if finished_name(k).endswith(_DATA)}
        return sum(name.endswith(_DATA) for name in shards), sum(shards.values())
