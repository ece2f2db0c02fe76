"""`job`: what is measured, in which order, and where the results go."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from pipelines.format.errors import LonghaulError
from tools.benchmark import machine
from tools.benchmark.jobs import measure, tables
from tools.benchmark.jobs.measure import Workload

PARTS = ('speed', 'workers', 'memory')


@dataclasses.dataclass(frozen=True)
class JobOptions:
    """The flags. `scale`: multiplies all numbers of items."""

    parts: tuple[str, ...] = PARTS
    scale: float = 1.0
    repeats: int = 5
    json_file: str = ''
    docs: str = ''

    def __post_init__(self) -> None:
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown:
            raise LonghaulError(f'--parts={unknown[0]}: one or more of {", ".join(PARTS)}')
        if self.scale <= 0:
            raise LonghaulError(f'--scale={self.scale}: a number above 0 is needed')
        if self.repeats < 1:
            raise LonghaulError(f'--repeats={self.repeats}: a whole number >= 1 is needed')

    def workload(self, name: str, kind: str, count: int, side: int | None = None) -> Workload:
        """One of the workloads, scaled; no less than forty items, so that each class has some."""
        return Workload(name, kind, max(40, int(count * self.scale)), side)


def run(options: JobOptions) -> dict[str, Any]:
    """Measures, prints, writes.

    Args:
      options: of the run.

    Returns:
      JSON values by part.
    """
    where = f'{machine.machine_line()}\n{machine.versions_line(["longhaul"])}'
    print(f'{where}\n', flush=True)
    found: dict[str, Any] = {'machine': where}
    blocks = {'machine': f'Machine: {where.replace(chr(10), "; ")}.'}
    for part in options.parts:
        found[part], blocks[part] = _PART[part](options)
        print(f'{blocks[part]}\n', flush=True)
        if options.json_file:
            _merge(Path(options.json_file), found)
        if options.docs:
            tables.fill(Path(options.docs), {k: blocks[k] for k in ('machine', part)})
    return found


def _merge(path: Path, found: dict[str, Any]) -> None:
    """Parts that were not measured this time stay."""
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | found, indent=1) + '\n')


def _speed(options: JobOptions) -> tuple[list[dict[str, Any]], str]:
    workloads = (
        options.workload('PNG 28x28, as it is', 'digits', 50_000, 28),
        options.workload('JPEG 256x256, to 64x64', 'photos', 8_000, 64),
        options.workload('documents', 'documents', 50_000),
    )
    rows = [measure.compare(workload, options.repeats) for workload in workloads]
    return rows, tables.speed(rows)


def _workers(options: JobOptions) -> tuple[list[dict[str, Any]], str]:
    found = []
    for workload in (
        options.workload('JPEG 256x256, to 64x64', 'photos', 6_000, 64),
        options.workload('documents', 'documents', 50_000),
    ):
        counts = [workload.count, 2 * workload.count, 4 * workload.count]
        found.append(measure.workers(workload, counts, max(1, options.repeats // 2)))
    return found, '\n\n'.join(tables.workers(entry) for entry in found)


def _memory(options: JobOptions) -> tuple[list[dict[str, Any]], str]:
    rows = [
        measure.memory(options.workload('documents', 'documents', 200_000)),
        measure.memory(options.workload('PNG 28x28, as it is', 'digits', 50_000, 28)),
    ]
    return rows, tables.memory(rows)


_PART = {'speed': _speed, 'workers': _workers, 'memory': _memory}
