"""Pairs of runs, one after the other: a disturbance meets both sides of a pair."""

import contextlib
import dataclasses
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tools.benchmark import child
from tools.benchmark.job.inputs import INPUTS, bytes_of

_TWO_WORKERS = (
    '--runner=DirectRunner',
    '--direct_running_mode=multi_processing',
    '--direct_num_workers=2',
)


class Run(NamedTuple):
    """One run.

    `whole`, `imports`, `work`: seconds of the process, of its imports, of its work. `cpu`: the
    processor's seconds of the work. `peak_bytes`: resident memory at its highest."""

    whole: float
    imports: float
    work: float
    cpu: float
    peak_bytes: int


@dataclasses.dataclass(frozen=True)
class Workload:
    """Files of one kind (see `INPUTS`), how many, and the side that images are resized to."""

    name: str
    kind: str
    count: int
    side: int | None = None


class Bench:
    """A workload with its files."""

    def __init__(self, workload: Workload, folder: Path) -> None:
        """Writes the files of a workload below an empty folder."""
        self.workload, self._input, self._work = workload, folder / 'input', folder / 'work'
        INPUTS[workload.kind](self._input, workload.count)
        self._work.mkdir()
        self.input_bytes = bytes_of(self._input)

    def job(self, *flags: str) -> Run:
        """One run of the job, with further flags; its output is removed."""
        output, side = self._work / 'records', self.workload.side
        kind, sized = ('texts', ()) if side is None else ('images', (f'--image_size={side}',))
        # One split, as the plain loop has.
        places = [f'--source={kind}:{self._input}', f'--output={output}', '--validation_share=0']
        try:
            return _run('a run of the job', {'flags': [*places, *sized, *flags]})
        finally:
            shutil.rmtree(output, ignore_errors=True)

    def plain(self) -> Run:
        """One run of the plain loop; its output is removed."""
        output = str(self._work / 'plain.tfrecord')
        asked = {'folder': str(self._input), 'output': output, 'side': self.workload.side}
        found = _run('a run of the plain loop', asked)
        os.remove(output)
        return found


@contextlib.contextmanager
def bench(workload: Workload) -> Iterator[Bench]:
    """Gives a workload with its files, which are removed at the end of the `with` block."""
    with tempfile.TemporaryDirectory(prefix='longhaul-job-') as folder:
        yield Bench(workload, Path(folder))


def _run(what: str, asked: dict[str, Any]) -> Run:
    module = 'tools.benchmark.job.measure'
    told = child.told_by(module, asked, what=f'job: {what}', CUDA_VISIBLE_DEVICES='')
    return Run(**told)


def compare(workload: Workload, repeats: int) -> dict[str, Any]:
    """Runs pairs of the plain loop and the job.

    Returns:
      A row: JSON values, medians, and the ratios of all pairs.
    """
    with bench(workload) as at:
        return row_of(workload, at.input_bytes, [(at.plain(), at.job()) for _ in range(repeats)])


def row_of(workload: Workload, size: int, pairs: list[tuple[Run, Run]]) -> dict[str, Any]:
    """Makes the row of some pairs, see `compare`.

    Args:
      workload: that they read.
      size: bytes of its files.
      pairs: a run of the plain loop and one of the job each.
    """
    row: dict[str, Any] = {**dataclasses.asdict(workload), 'input_bytes': size}
    for name, runs in zip(('plain', 'job'), zip(*pairs, strict=True), strict=True):
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
    """Runs two worker processes beside the one that a plain command has, at several sizes.

    Args:
      workload: its own count is not used.
      counts: of items, ascending.
      repeats: pairs at each size.

    Returns:
      JSON values: a row for each size, and 'pays_from', see `crossing`.
    """
    rows = []
    for count in counts:
        with bench(dataclasses.replace(workload, count=count)) as at:
            pairs = [
                (at.job('--shards=8').whole, at.job(*_TWO_WORKERS, '--shards=8').whole)
                for _ in range(repeats)
            ]
        row = {
            'count': count,
            'input_bytes': at.input_bytes,
            'one': statistics.median(one for one, _ in pairs),
            'two': statistics.median(two for _, two in pairs),
            'ratio': statistics.median(one / two for one, two in pairs),
        }
        rows.append(row)
    return {'name': workload.name, 'rows': rows, 'pays_from': crossing(rows)}


def crossing(rows: list[dict[str, Any]]) -> float | None:
    """Says from how many items on two workers are faster, by straight lines through both ends.

    Returns:
      The number of items; None if each item takes two workers no less time than one.
    """
    first, last = rows[0], rows[-1]
    step = last['count'] - first['count']
    slopes = {name: (last[name] - first[name]) / step for name in ('one', 'two')}
    if slopes['two'] >= slopes['one']:
        return None
    begun = {name: first[name] - slopes[name] * first['count'] for name in slopes}
    return max(0.0, (begun['two'] - begun['one']) / (slopes['one'] - slopes['two']))


def memory(workload: Workload) -> dict[str, Any]:
    """Measures the job's peak on a quarter of a workload and on all of it."""
    runs = []
    for count in (workload.count // 4, workload.count):
        with bench(dataclasses.replace(workload, count=count)) as at:
            runs.append(at.job())
    quarter, whole = runs
    added = whole.peak_bytes - quarter.peak_bytes
    return {
        **dataclasses.asdict(workload),
        'quarter_peak_bytes': quarter.peak_bytes,
        'peak_bytes': whole.peak_bytes,
        'bytes_per_item': added / (workload.count - workload.count // 4),
        'seconds': whole.whole,
    }
