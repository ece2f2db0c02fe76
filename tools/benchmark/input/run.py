"""Which data sets `input` measures, and its table.

One process per data set: blocks of steps from records and from memory in turn, so that a
disturbance meets both. What the ratio leaves above 1 is what reading, parsing and copying cost.
"""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from pipelines.format.errors import LonghaulError
from tools import flags, tables
from tools.benchmark import child, machine, results
from tools.flags import flag

_SHORT = ('BPTT_STEPS=300', 'AUXILIARY_STEPS=300')
_HEAD = ('data', 'batches', 'from memory, s', 'from records, s', 'ratio', 'blocks')


@dataclasses.dataclass(frozen=True)
class DataSet:
    """An experiment and its records; `job`: flags of pipelines.main that write the records."""

    name: str
    gin_file: str
    gin_params: tuple[str, ...]
    job: tuple[str, ...] = ()


BUILT_IN = (
    DataSet(
        'images, 784 steps',
        'gin/digits/r_lstm.gin',
        (*_SHORT, 'BATCH_SIZE=128'),
        ('--source=builtin:digits', '--image_size=28', '--segment_steps=300'),
    ),
    DataSet(
        'images, 16,384 steps',
        'gin/digits/r_lstm.gin',
        (*_SHORT, 'BATCH_SIZE=128'),
        ('--source=builtin:digits', '--image_size=128', '--segment_steps=300', '--limit=400'),
    ),
    DataSet(
        'documents',
        'gin/stdlib/r_lstm.gin',
        _SHORT,
        ('--source=builtin:stdlib', '--max_steps=16384', '--segment_steps=300'),
    ),
)


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags; `json`: '' for no file."""

    records: str = flag('folder of records; without it, data sets that come with the product', '')
    gin_file: str = flag('experiment on these records', '')
    gin_param: list[str] = flag('one more binding; repeatable', [])
    steps: int = flag('steps in a block', 10)
    repeats: int = flag('blocks from records and from memory, each', 5)
    json: str = flag('file for the rows', '')

    def __post_init__(self) -> None:
        flags.at_least(1, steps=self.steps, repeats=self.repeats)
        results.check_file('--json', self.json)
        if bool(self.gin_file) != bool(self.records):
            raise LonghaulError(
                f'--gin_file={self.gin_file}, --records={self.records}: give both, or neither to '
                'measure on data sets that come with the product'
            )


def run(options: Options) -> list[dict[str, Any]]:
    """Measures each data set and prints a row of a Markdown table.

    Returns:
      A row per data set: seconds a step from records and from memory, and their ratio.
    """
    print(f'{machine.about()}\n', flush=True)
    sets: tuple[DataSet, ...] = BUILT_IN
    if options.gin_file:
        gin_file = str(Path(options.gin_file).absolute())
        sets = (DataSet(options.records, gin_file, tuple(options.gin_param)),)
    print(tables.table(_HEAD, right=_HEAD[1:-1]), flush=True)
    rows = []
    for data in sets:
        row = _measured(data, options)
        rows.append(row)
        spread = f'{min(row["ratios"]):.3f} to {max(row["ratios"]):.3f}'
        seconds = (f'{row[name]:.4f}' for name in ('memory_seconds', 'records_seconds'))
        cells = (row['data'], row['batches'], *seconds, f'{row["ratio"]:.3f}', spread)
        print(tables.line(cells), flush=True)
        results.write(options.json, rows)
    return rows


def _measured(data: DataSet, options: Options) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix='longhaul-input-') as folder:
        records = str(Path(options.records).absolute())
        if data.job:
            records = f'{folder}/records'
            asked = {'flags': [*data.job, f'--output={records}']}
            child.told_by('tools.benchmark.job.measure', asked, what='input: the job')
        experiment = {
            'data': data.name,
            'gin_file': data.gin_file,
            'gin_params': data.gin_params,
            'records': records,
            'steps': options.steps,
            'repeats': options.repeats,
        }
        module = 'tools.benchmark.input.measure'
        told = child.told_by(module, experiment, what=f'input: {data.name}')
        return {name: value for name, value in told.items() if name != 'whole'}
