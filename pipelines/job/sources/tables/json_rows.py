"""jsonl:FILE_OR_DIR - documents as JSON objects, one a line, gzipped or not.

A folder holds train.jsonl, validation.jsonl and test.jsonl (or .jsonl.gz). As with csv, a line's
place is its byte offset, and a gzipped file is unpacked once for each shard.
"""

import dataclasses
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected
from pipelines.job.sources import limits
from pipelines.job.sources.tables.describing import parse_label
from pipelines.job.sources.tables.opening import (
    estimate_rows,
    find_tables,
    is_gzip,
    open_table,
    place_of,
    shown,
)
from pipelines.job.text_encoding import is_utf8, not_readable, to_utf8

_NO_OBJECT = 'the line is no JSON object'


@dataclasses.dataclass(frozen=True)
class JsonLines:
    """Objects with a text and, if they have one, a label (a string or a whole number).

    Attributes:
      path: file or folder.
      text_column: key of the text; None: 'text'.
      label_column: key of the label; None: 'label'. An object without it has no label.
      names: those of the classes, see `labels.resolve`.
      encoding: of lines that are no UTF-8; None: there are none.
    """

    path: str
    text_column: str | None = None
    label_column: str | None = None
    names: tuple[str, ...] | None = None
    encoding: str | None = None
    kind: str = 'text'
    channels: int = 1

    def groups(self) -> list[Group]:
        """The files, by split; refuses missing files, and a first object without the keys."""
        found = find_tables('jsonl', self.path)
        for group in found:
            self._check_first(group.path)
        return found

    def _check_first(self, path: str) -> None:
        _, line = next(_lines(path), (0, None))
        if line is None:
            raise LonghaulError(f'--source=jsonl: {path} is empty; name a file with objects')
        found = self._object(line)
        if isinstance(found, Rejected):
            raise LonghaulError(
                f'--source=jsonl: {path}: its first line cannot be used, since {found.reason}; one '
                'object a line is needed, such as {"text": "...", "label": "..."}'
            )
        values, _ = found
        wanted = {'text_column': self.text_column or 'text', 'label_column': self.label_column}
        for flag, key in wanted.items():
            if key is not None and key not in values:
                raise LonghaulError(
                    f'--{flag}={key}: the first object of {path} has no such key; its keys are: '
                    f'{shown(values)}'
                )

    def items(self, group: Group) -> Iterator[Item]:
        """Objects in order; ids are SPLIT/LINE, from 0, blank lines not counted."""
        packed = is_gzip(group.path)
        for row, (offset, line) in enumerate(_lines(group.path)):
            # What cannot be used must not add a class; `read` rejects it.
            found = self._object(line)
            label = found if isinstance(found, Rejected) else self._label(found[0])
            label = None if isinstance(label, Rejected) else label
            place = row if packed else offset
            yield Item(f'{group.split}/{row:06}', group.split, label, group.path, place)

    def read(self, group: str, items: Sequence[Item]) -> Iterator[Payload | Rejected]:
        """Texts as UTF-8."""
        if not is_gzip(group):
            with open(group, 'rb') as file:
                for item in items:
                    file.seek(item.place)
                    yield self._text(limits.read_line(file)[0])
            return
        places = {item.place for item in items}
        lines = enumerate(line for _, line in _lines(group))
        wanted = {row: self._text(line) for row, line in lines if row in places}
        for item in items:
            yield wanted[item.place]

    def _object(self, line: bytes) -> tuple[dict[str, Any], str] | Rejected:
        """The object of a line, and the encoding that the line is in."""
        if len(line) > limits.MOST_BYTES:
            return Rejected(f'the line is {limits.TOO_LARGE}')
        # As a whole: in some encodings a letter ends with the byte of a backslash.
        converted = to_utf8(line, self.encoding)
        if converted is None:
            return not_readable('the line', self.encoding)
        try:
            values = json.loads(converted[0])
        except (ValueError, RecursionError):
            values = None
        return (values, converted[1]) if isinstance(values, dict) else Rejected(_NO_OBJECT)

    def _label(self, values: dict[str, Any]) -> str | None | Rejected:
        return parse_label(values.get(self.label_column or 'label'))

    def _text(self, line: bytes) -> Payload | Rejected:
        found = self._object(line)
        if isinstance(found, Rejected):
            return found
        values, encoding = found
        label = self._label(values)
        if isinstance(label, Rejected):
            return label
        text = values.get(self.text_column or 'text')
        if not isinstance(text, str):
            return Rejected('the text is missing, or no string')
        if not is_utf8(text):
            return Rejected('the text is not UTF-8')
        return Payload(text.encode('utf-8'), encoding=encoding)

    def where(self, item: Item) -> str:
        """FILE: object N, the file only where there are several."""
        return place_of(item, self.path, 'object')

    def class_names(self) -> tuple[str, ...] | None:
        """Those of --class_names."""
        return self.names

    def image_size(self) -> None:
        """Texts have none."""

    def estimated_items(self) -> int:
        """By size."""
        return estimate_rows(self.groups())


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    """(offset in the unpacked file, line) of each line that is not blank."""
    position = 0
    try:
        with open_table(path) as file:
            while True:
                line, size = limits.read_line(file)
                if not line:
                    break
                if line.strip():
                    yield position, line
                position += size
    except (OSError, EOFError, zlib.error) as error:
        raise LonghaulError(
            f'--source=jsonl: {path} cannot be read ({error}); mend the file, or name another one'
        ) from error
