"""`job`: what is measured, in which order, and where the results go."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from pipelines.format.errors import LonghaulError
from tools import blocks, flags
from tools.benchmark import machine, results
from tools.benchmark.job import pairs, tables
from tools.benchmark.job.pairs import Workload
from tools.flags import flag

# The tables stand in blocks <!-- benchmark: PART --> of a document.
_BLOCKS = 'benchmark'


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags; files: '' for none."""

    parts: tuple[str, ...] = flag('what is measured', ('speed', 'workers', 'memory'))
    scale: float = flag('multiplies all numbers of items', 1.0)
    repeats: int = flag('pairs of runs', 5)
    json: str = flag('file for the results', '')
    docs: str = flag('document whose blocks <!-- benchmark: PART --> take the tables', '')

    def __post_init__(self) -> None:
        flags.one_of('parts', self.parts, tuple(_PARTS))
        flags.above_zero(scale=self.scale)
        flags.at_least(1, repeats=self.repeats)
        results.check_file('--json', self.json)
        if self.docs:
            check_document(Path(self.docs), ('machine', *self.parts))

    def workload(self, name: str, kind: str, count: int, side: int | None = None) -> Workload:
        """Makes a workload of the scaled size: at least forty items, some of each class."""
        return Workload(name, kind, max(40, int(count * self.scale)), side)


def check_document(path: Path, names: tuple[str, ...]) -> None:
    """Refuses, before anything is measured, a document that lacks one of some blocks.

    Raises:
      LonghaulError: naming --docs.
    """
    try:
        missing = set(names) - set(blocks.names_of(path, _BLOCKS))
    except OSError as error:
        raise LonghaulError(f'--docs={path}: {error.strerror}; name a document') from error
    if missing:
        raise LonghaulError(
            f'--docs={path}: has no block <!-- {_BLOCKS}: {min(missing)} --> with its '
            '<!-- end -->; add both lines'
        )


def run(options: Options) -> dict[str, Any]:
    """Measures, prints, writes.

    Returns:
      JSON values by part.
    """
    where = machine.about()
    print(f'{where}\n', flush=True)
    found: dict[str, Any] = {'machine': where}
    lines = {'machine': f'Machine: {where.replace(chr(10), "; ")}.'}
    for part in options.parts:
        found[part], lines[part] = _PARTS[part](options)
        print(f'{lines[part]}\n', flush=True)
        results.write(options.json, _before(options.json) | found)
        if options.docs:
            blocks.fill(Path(options.docs), _BLOCKS, lines)
    return found


def _before(name: str) -> dict[str, Any]:
    """Reads what the file holds already: parts that are not measured this time stay."""
    return json.loads(Path(name).read_text()) if name and Path(name).exists() else {}


def _speed(options: Options) -> tuple[list[dict[str, Any]], str]:
    workloads = (
        options.workload('PNG 28x28, as it is', 'digits', 50_000, 28),
        options.workload('JPEG 256x256, to 64x64', 'photos', 8_000, 64),
        options.workload('documents', 'documents', 50_000),
    )
    rows = [pairs.compare(workload, options.repeats) for workload in workloads]
    return rows, tables.speed(rows)


def _workers(options: Options) -> tuple[list[dict[str, Any]], str]:
    found = []
    for workload in (
        options.workload('JPEG 256x256, to 64x64', 'photos', 6_000, 64),
        options.workload('documents', 'documents', 50_000),
    ):
        counts = [workload.count, 2 * workload.count, 4 * workload.count]
        found.append(pairs.workers(workload, counts, max(1, options.repeats // 2)))
    return found, '\n\n'.join(tables.workers(entry) for entry in found)


def _memory(options: Options) -> tuple[list[dict[str, Any]], str]:
    rows = [
        pairs.memory(options.workload('documents', 'documents', 200_000)),
        pairs.memory(options.workload('PNG 28x28, as it is', 'digits', 50_000, 28)),
    ]
    return rows, tables.memory(rows)


_PARTS = {'speed': _speed, 'workers': _workers, 'memory': _memory}
