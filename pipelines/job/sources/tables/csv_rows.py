"""Rows of a CSV table as csv.reader has them, each with its offset; whatever else stands there too.

A damaged row costs itself alone, but for a quote that is never closed: it takes the rest of the
table, and says so.
"""

import csv
from collections.abc import Iterator
from typing import BinaryIO

from pipelines.job.items import Rejected
from pipelines.job.sources import limits

_BOM = b'\xef\xbb\xbf'
_RETURN = 'the row has a carriage return outside of quotes'
UNCLOSED = 'the row opens a quote that is never closed'

# What csv.reader makes of a row, or why it makes nothing of it.
Cells = list[str] | Rejected


class Lines:
    """Lines of a table as csv.reader wants them.

    `position`: of the next line. `ended`: whether a line was asked for after the last one.
    """

    def __init__(self, file: BinaryIO, position: int = 0) -> None:
        self._file, self.position, self.ended = file, position, False

    def __iter__(self) -> Iterator[str]:
        while True:
            line, size = limits.read_line(self._file)
            if not line:
                break
            if size > limits.MOST_BYTES:
                raise csv.Error(f'a line is {limits.TOO_LARGE}')
            start = line.removeprefix(_BOM) if self.position == 0 else line
            self.position += size
            # Bytes that are no UTF-8 arrive as they are, and are judged row by row.
            yield start.decode('utf-8', 'surrogateescape')
        self.ended = True


def parse(lines: Lines) -> Iterator[tuple[int, Cells]]:
    """(offset, cells) of each row from the present line on; blank lines are left out.

    Raises:
      csv.Error: behind a line or a cell beyond the limit nobody knows where rows begin.
    """
    csv.field_size_limit(limits.MOST_BYTES)
    reader = csv.reader(lines)
    while True:
        begin, first = lines.position, reader.line_num
        try:
            cells: Cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if 'new-line' not in str(error):
                raise
            cells = Rejected(_RETURN)
        # Only within quotes another line is asked for.
        if lines.ended:
            cells = Rejected(UNCLOSED, f'and took {reader.line_num - first} lines with it')
        if cells:
            yield begin, cells
