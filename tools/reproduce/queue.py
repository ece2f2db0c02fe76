"""Queues: text files that name one run, or one run per seed, a line.

    # MNIST, truncation 300
    gin/mnist/lstm_300.gin --budget=5epochs --seeds=0,1 'OptimizerConfig.name="adam"'

A line is a gin file, options and gin parameters, written as in a shell; '#' begins a comment.
A parameter with several values, LEARNING_RATE=0.001|0.003, makes a run of each; several such
parameters make the grid of their values.
"""

import argparse
import dataclasses
import hashlib
import json
import shlex
from pathlib import Path
from typing import NoReturn

from pipelines.format.errors import LonghaulError
from tools.reproduce.budget import Budget, parse_budget
from tools.reproduce.grid import grid

_OPTIONS = '--budget=5epochs, --budget=20minutes, --seeds=0,1, --records=NAME, --validation_only'


@dataclasses.dataclass(frozen=True)
class Entry:
    """One run of a queue.

    `records`: name of a folder below --records; `validation_only`: the test split is not looked at.
    """

    gin_file: str
    params: tuple[str, ...]
    records: str
    budget: Budget | None = None
    validation_only: bool = False

    @property
    def run(self) -> str:
        """Twelve hex digits of what the queue says of this run, whatever the line's place."""
        said = [self.gin_file, self.params, str(self.budget or ''), self.validation_only]
        if self.records != Path(self.gin_file).parent.name:
            said.append(self.records)
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """The gin file's name and `run`: a name for people and folders."""
        return f'{Path(self.gin_file).stem}-{self.run}'

    @property
    def seed(self) -> int:
        """The value of SEED; 0, the default of all our gin files, if the line sets none."""
        given = [p.partition('=')[2] for p in self.params if p.partition('=')[0].strip() == 'SEED']
        return int(given[-1]) if given else 0


class _LineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LonghaulError(f'{message}; allowed options: {_OPTIONS}')


def _parser() -> argparse.ArgumentParser:
    parser = _LineParser(add_help=False, allow_abbrev=False)
    parser.add_argument('gin_file')
    parser.add_argument('params', nargs='*')
    parser.add_argument('--budget')
    parser.add_argument('--seeds')
    parser.add_argument('--records')
    parser.add_argument('--validation_only', action='store_true')
    return parser


def read_queue(path: Path) -> list[Entry]:
    """The runs of a queue file, in its order.

    Raises:
      LonghaulError: for a missing file, and for a line that says nothing or twice the same; it
        names the line.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise LonghaulError(f'queue {path}: {error.strerror}; check the name') from error
    entries: list[Entry] = []
    for number, line in enumerate(lines, 1):
        try:
            new = _read_line(line)
            runs = [entry.run for entry in entries + new]
            if len(set(runs)) < len(runs):
                raise LonghaulError('the same run is in the queue already; take one of them out')
        except ValueError as error:
            raise LonghaulError(f'queue {path}, line {number}: {error}') from error
        entries += new
    if not entries:
        raise LonghaulError(f'queue {path}: names no run; add lines such as gin/mnist/lstm_300.gin')
    return entries


def _read_line(line: str) -> list[Entry]:
    words = shlex.split(line, comments=True)
    if not words:
        return []
    found = _parser().parse_intermixed_args(words)
    for param in found.params:
        if '=' not in param:
            raise LonghaulError(f'{param!r}: a gin parameter NAME=VALUE is needed')
    entry = Entry(
        gin_file=found.gin_file,
        params=(),
        records=found.records or Path(found.gin_file).parent.name,
        budget=parse_budget(found.budget) if found.budget else None,
        validation_only=found.validation_only,
    )
    return [
        _with_seed(dataclasses.replace(entry, params=params), seed)
        for params in grid(found.params)
        for seed in _seeds(found.seeds)
    ]


def _seeds(text: str | None) -> list[int | None]:
    if text is None:
        return [None]
    if not all(part.isdecimal() for part in text.split(',')):
        raise LonghaulError(f'--seeds={text}: whole numbers are needed, such as --seeds=0,1')
    return [int(part) for part in text.split(',')]


def _with_seed(entry: Entry, seed: int | None) -> Entry:
    if seed is None:
        return entry
    return dataclasses.replace(entry, params=(*entry.params, f'SEED={seed}'))
