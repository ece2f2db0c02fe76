"""Faults: what is wrong, and where."""

import dataclasses
from collections import Counter
from collections.abc import Iterator

# Faults of one file that are shown.
_MOST_SHOWN = 20


@dataclasses.dataclass
class Report:
    """All faults, and how much was looked at.

    `faults`: a file and the line about it each. `unread`: records that are damaged, or lie behind
    damage; nothing can be counted then.
    """

    faults: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    examples: int = 0
    files: int = 0
    bytes: int = 0
    unread: int = 0

    def add(self, file: str, what: str, offset: int | None = None) -> None:
        """Adds a fault: a file, what is wrong, and the offset of the record if there is one."""
        where = '' if offset is None else f', offset {offset}'
        self.faults.append((file, f'{file}{where}: {what}'))

    def summary(self) -> str:
        """Says in one line how much was looked at, and how many faults there are."""
        looked = f'{self.examples:,} examples in {self.files} files, {self.bytes / 1e6:,.1f} MB'
        if not self.faults:
            return f'{looked}: no fault'
        unread = f'; {self.unread:,} records unread, counts not compared' if self.unread else ''
        return f'{looked}: {len(self.faults)} fault{"s" * (len(self.faults) != 1)}{unread}'

    def lines(self) -> Iterator[str]:
        """A line for each fault; of many in one file the first ones, and the number of others."""
        shown: Counter[str] = Counter()
        for file, line in self.faults:
            shown[file] += 1
            if shown[file] <= _MOST_SHOWN:
                yield line
        for file, count in shown.items():
            if count > _MOST_SHOWN:
                yield f'{file}: {count - _MOST_SHOWN:,} more faults'
