"""Faults: what is wrong, and where."""

import dataclasses
from collections import Counter
from collections.abc import Iterator

# Faults of one file that are shown.
_MOST_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault: a file, the offset of the record if there is one, and what is wrong."""

    file: str
    what: str
    offset: int | None = None

    def __str__(self) -> str:
        where = '' if self.offset is None else f', offset {self.offset}'
        return f'{self.file}{where}: {self.what}'


@dataclasses.dataclass
class Report:
    """All faults, and how much was looked at.

    `unread`: records that are damaged, or lie behind damage; nothing can be counted then.
    """

    faults: list[Fault] = dataclasses.field(default_factory=list)
    examples: int = 0
    files: int = 0
    bytes: int = 0
    unread: int = 0

    def add(self, file: str, what: str, offset: int | None = None) -> None:
        """Adds a fault."""
        self.faults.append(Fault(file, what, offset))

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
        for fault in self.faults:
            shown[fault.file] += 1
            if shown[fault.file] <= _MOST_SHOWN:
                yield str(fault)
        for file, count in shown.items():
            if count > _MOST_SHOWN:
                yield f'{file}: {count - _MOST_SHOWN:,} more faults'
