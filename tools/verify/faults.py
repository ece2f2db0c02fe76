"""Faults: what is wrong, and where."""

import dataclasses


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
    """All faults, and how much was looked at."""

    faults: list[Fault] = dataclasses.field(default_factory=list)
    examples: int = 0
    files: int = 0
    bytes: int = 0

    def add(self, file: str, what: str, offset: int | None = None) -> None:
        """Adds a fault."""
        self.faults.append(Fault(file, what, offset))

    def summary(self) -> str:
        """Says in one line how much was looked at, and how many faults there are."""
        looked = f'{self.examples:,} examples in {self.files} files, {self.bytes / 1e6:,.1f} MB'
        if not self.faults:
            return f'{looked}: no fault'
        return f'{looked}: {len(self.faults)} faults'
