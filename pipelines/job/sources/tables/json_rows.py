"""Reads JSON lines: an object on each line, with its offset."""

import dataclasses
import json
from collections.abc import Iterator
from io import BufferedIOBase
from typing import Any

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Payload, Rejected
from pipelines.job.sources import limits
from pipelines.job.sources.tables.opening import open_table
from pipelines.job.sources.tables.rows import Row, parse_label
from pipelines.job.text_encoding import is_utf8, not_readable, to_utf8


@dataclasses.dataclass(frozen=True)
class JsonLines:
    """The format of JSON lines, see `rows.Format`; columns are keys.

    Attributes:
      encoding: of lines that are not UTF-8; None: such lines are rejected.
    """

    encoding: str | None = None
    noun: str = 'object'
    lacking: str = 'the first object of {path} has no such key; its keys are: {columns}'

    def columns(self, path: str) -> tuple[str, ...]:
        """See `rows.Format`; other objects may have other keys."""
        _, first = next(self.rows(path), (0, None))
        if first is None:
            raise LonghaulError(f'--source: {path} is empty; name a file with objects')
        if isinstance(first, Rejected):
            raise LonghaulError(
                f'--source: the first line of {path} cannot be used, since {first.reason}; one '
                'object a line is needed, such as {"text": "...", "label": "..."}'
            )
        return tuple(first.values)

    def rows(self, path: str) -> Iterator[tuple[int, Row | Rejected]]:
        """See `rows.Format`."""
        offset, size = 0, -1
        with open_table(path) as file:
            while size:
                line, size = limits.read_line(file)
                if line.strip():
                    yield offset, self._row(line)
                offset += size

    def row_at(
        self, file: BufferedIOBase, offset: int, *, path: str, columns: tuple[str, ...]
    ) -> Row | Rejected:
        """See `rows.Format`."""
        del path, columns
        file.seek(offset)
        return self._row(limits.read_line(file)[0])

    def _row(self, line: bytes) -> Row | Rejected:
        if len(line) > limits.MOST_BYTES:
            return Rejected(f'the line is {limits.TOO_LARGE}')
        # The line is converted before it is parsed: in some encodings a letter ends with the byte
        # of \.
        converted = to_utf8(line, self.encoding)
        if converted is None:
            return not_readable('the line', self.encoding)
        try:
            # As a string: among bytes, zeros would make it UTF-16.
            values = json.loads(converted[0].decode('utf-8'), object_pairs_hook=_unique)
        except Rejected as verdict:
            return verdict
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            return Rejected('the line is no JSON object')
        return Row(values, converted[1])

    def label(self, row: Row, column: str) -> str | None | Rejected:
        """See `rows.Format`; None also for an object without the key."""
        return parse_label(row.values.get(column))

    def text(self, row: Row, column: str) -> Payload | Rejected:
        """See `rows.Format`."""
        text = row.values.get(column)
        if not isinstance(text, str):
            return Rejected('the text is missing, or no string')
        if not is_utf8(text):
            return Rejected('the text is not UTF-8')
        return Payload(text.encode('utf-8'), encoding=row.encoding)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; rejects a key that is there twice. Python would take the last one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Rejected('the object has a key more than once', repr(twice[:80]))
    return found
