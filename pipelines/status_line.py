"""One line of a terminal that is written over. tqdm draws it."""

import os
from typing import TextIO

from tqdm import tqdm

# tqdm takes 0 columns, and 0 rows, for no room at all.
_ANY_WIDTH = 10_000


class _Line(tqdm):
    # tqdm would start a thread that watches slow bars.
    monitor_interval = 0


def _knows_its_width(stream: TextIO) -> bool:
    """Whether texts can be cut to it: some terminals say that they have 0 columns."""
    try:
        return os.get_terminal_size(stream.fileno()).columns > 0
    except (OSError, ValueError):
        return False


class StatusLine:
    """Shows one text at a time on a terminal.

    A text that is wider than the terminal is cut. On a stream that is no terminal, `show` does
    nothing.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._text = stream, ''
        self._line: _Line | None = None
        self.on = stream.isatty()

    def show(self, text: str) -> None:
        """Shows a text in the place of the one before."""
        if not self.on:
            return
        if self._line is None:
            known = _knows_its_width(self._stream)
            size = {'dynamic_ncols': True} if known else {'ncols': _ANY_WIDTH, 'nrows': 20}
            self._line = _Line(file=self._stream, bar_format='{desc}', leave=False, **size)
        self._text = text
        self._line.set_description_str(text)

    def clear(self) -> None:
        """Takes the text away, so that others may write."""
        if self._line is not None:
            self._line.close()
        self._line = None

    def write(self, text: str) -> None:
        """Writes a line that stays."""
        self.clear()
        self._stream.write(f'{text}\n')
        self._stream.flush()

    def keep(self) -> None:
        """Lets the text that is shown stay."""
        if self._line is not None:
            self.write(self._text)
