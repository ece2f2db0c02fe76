"""Runs children and times them: alternating, so that a disturbance meets both sides of a pair."""

import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.format.errors import LonghaulError
from tools.benchmark.jobs.inputs import INPUTS, bytes_of

_ROOT = Path(__file__).parents[3]


@dataclasses.dataclass(frozen=True)
class Workload:
    """Files of one kind (see `INPUTS`), how many, and the side that images are resized to."""

    name: str
    kind: str
    count: int
    side: int | None = None

    def flags(self, source: Path, output: Path) -> list[str]:
        """The job's flags: one split, as the plain loop has."""
        prefix = 'texts' if self.side is None else 'images'
        flags = [f'--source={prefix}:{source}', f'--output={output}', '--validation_share=0']
        return flags + ([] if self.side is None else [f'--image_size={self.side}'])


class Run(NamedTuple):
    """Seconds of a whole process, of its imports, of its work; processor's; peak resident bytes."""

    whole: float
    imports: float
    work: float
    cpu: float
    peak_bytes: int


def with_input(workload: Workload, use: Callable[[Path, Path], Any]) -> Any:
    """Calls `use` with a folder of input files and an empty one; both are removed afterwards."""
    with tempfile.TemporaryDirectory(prefix='longhaul-job-') as folder:
        source, work = Path(folder) / 'input', Path(folder) / 'work'
        INPUTS[workload.kind](source, workload.count)
        work.mkdir()
        return use(source, work)


def run_job(workload: Workload, source: Path, work: Path, *more: str) -> Run:
    """One run of the job, with more flags; its output is removed."""
    output = work / 'records'
    try:
        flags = [*workload.flags(source, output), *more]
        return _run({'what': 'job', 'flags': flags})
    finally:
        shutil.rmtree(output, ignore_errors=True)


def run_plain(workload: Workload, source: Path, work: Path) -> Run:
    """One run of the plain loop."""
    output = str(work / 'plain.tfrecord')
    asked = {'folder': str(source), 'output': output, 'side': workload.side}
    found = _run({'what': 'plain', **asked})
    os.remove(output)
    return found


def _run(asked: dict[str, Any]) -> Run:
    paths = [str(_ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(paths), 'CUDA_VISIBLE_DEVICES': ''}
    command = [sys.executable, '-m', 'tools.benchmark.jobs.child', json.dumps(asked)]
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=told, stderr=said, env=environment
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        whole = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        said.seek(0)
        if process.returncode:
            lines = said.read().decode(errors='replace').strip().splitlines() or ['said nothing']
            raise LonghaulError(f'job: a run of {asked["what"]} failed: {lines[-1]}')
        found = json.loads(told.read().decode().splitlines()[-1])
    # Kilobytes on Linux; of the largest process where there are several.
    return Run(whole, **found, peak_bytes=usage.ru_maxrss * 1024)


def compare(workload: Workload, repeats: int) -> dict[str, Any]:
    """Pairs of the plain loop and the job.

    Returns:
      A row: JSON values, medians, and the ratios of all pairs.
    """

    def measure(source: Path, work: Path) -> dict[str, Any]:
        """All pairs; the first one finds files that were just written, as the others do."""
        plain, job = [], []
        for _ in range(repeats):
            plain.append(run_plain(workload, source, work))
            job.append(run_job(workload, source, work))
        return _row(workload, bytes_of(source), plain, job)

    return with_input(workload, measure)


def _row(workload: Workload, size: int, plain: list[Run], job: list[Run]) -> dict[str, Any]:
    pairs = list(zip(plain, job, strict=True))
    row: dict[str, Any] = {**dataclasses.asdict(workload), 'input_bytes': size}
    for name, runs in (('plain', plain), ('job', job)):
        medians = {f: statistics.median(getattr(r, f) for r in runs) for f in Run._fields}
        medians['records_per_second'] = workload.count / medians['work']
        medians['megabytes_per_second'] = size / 1e6 / medians['work']
        row[name] = medians
    # The job's speed over the plain loop's: above 1 the job is faster.
    for name in ('work', 'whole', 'cpu'):
        row[f'{name}_ratios'] = [getattr(p, name) / getattr(j, name) for p, j in pairs]
        row[f'{name}_ratio'] = statistics.median(row[f'{name}_ratios'])
    return row


def workers(workload: Workload, counts: list[int], repeats: int) -> dict[str, Any]:
    """Two worker processes beside the one that a plain command has, at several sizes."""
    two = ('--runner=DirectRunner', '--direct_running_mode=multi_processing')
    two += ('--direct_num_workers=2', '--shards=8')
    rows = []
    for count in counts:
        sized = dataclasses.replace(workload, count=count)

        def measure(source: Path, work: Path, sized: Workload = sized) -> dict[str, Any]:
            """Pairs at one size."""
            pairs = [
                (run_job(sized, source, work, '--shards=8'), run_job(sized, source, work, *two))
                for _ in range(repeats)
            ]
            return {
                'count': sized.count,
                'input_bytes': bytes_of(source),
                'one': statistics.median(one.whole for one, _ in pairs),
                'two': statistics.median(both.whole for _, both in pairs),
                'ratio': statistics.median(one.whole / both.whole for one, both in pairs),
            }

        rows.append(with_input(sized, measure))
    return {'name': workload.name, 'rows': rows, 'pays_from': _crossing(rows)}


def _crossing(rows: list[dict[str, Any]]) -> float | None:
    """From how many items on two workers are faster, by straight lines through both ends.

    None: each item takes two workers no less time than one.
    """
    first, last = rows[0], rows[-1]
    step = last['count'] - first['count']
    slopes = {name: (last[name] - first[name]) / step for name in ('one', 'two')}
    if slopes['two'] >= slopes['one']:
        return None
    begun = {name: first[name] - slopes[name] * first['count'] for name in slopes}
    return max(0.0, (begun['two'] - begun['one']) / (slopes['one'] - slopes['two']))


def memory(workload: Workload) -> dict[str, Any]:
    """Peaks of the job on a quarter of a workload and on all of it, and what an item adds."""
    counts = [workload.count // 4, workload.count]
    runs = {}
    for count in counts:
        sized = dataclasses.replace(workload, count=count)

        def measure(source: Path, work: Path, sized: Workload = sized) -> Run:
            """One run."""
            return run_job(sized, source, work)

        runs[count] = with_input(sized, measure)
    quarter, whole = (runs[count].peak_bytes for count in counts)
    return {
        **dataclasses.asdict(workload),
        'quarter_peak_bytes': quarter,
        'peak_bytes': whole,
        'bytes_per_item': (whole - quarter) / (counts[1] - counts[0]),
        'seconds': runs[counts[1]].whole,
    }
