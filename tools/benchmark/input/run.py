"""`input`: a training step fed from records over the same step fed from memory.

One process per data set. Both take the trainer's own steps, compiled once, on the same batches in
the same order: blocks of steps from records and from memory in turn, so that a disturbance meets
both. What the ratio leaves above 1 is what reading, parsing and copying cost a step.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.format.errors import LonghaulError
from tools.benchmark import machine

_ROOT = Path(__file__).parents[2]
_STEPS = ['BPTT_STEPS=300', 'AUXILIARY_STEPS=300', 'BATCH_SIZE=128']


@dataclasses.dataclass(frozen=True)
class DataSet:
    """What is trained on what; `job`: flags of pipelines.main that make the records."""

    name: str
    gin_file: str
    gin_params: tuple[str, ...]
    job: tuple[str, ...] = ()


BUILT_IN = (
    DataSet(
        'images, 784 steps',
        'gin/digits/r_lstm.gin',
        tuple(_STEPS),
        ('--source=builtin:digits', '--image_size=28', '--segment_steps=300'),
    ),
    DataSet(
        'images, 16,384 steps',
        'gin/digits/r_lstm.gin',
        tuple(_STEPS),
        ('--source=builtin:digits', '--image_size=128', '--segment_steps=300', '--limit=400'),
    ),
    DataSet(
        'documents',
        'gin/stdlib/r_lstm.gin',
        ('BPTT_STEPS=300', 'AUXILIARY_STEPS=300'),
        ('--source=builtin:stdlib', '--max_steps=16384', '--segment_steps=300'),
    ),
)


@dataclasses.dataclass(frozen=True)
class FeedOptions:
    """The flags; without `gin_file` the built-in data sets are measured."""

    gin_file: str = ''
    gin_params: tuple[str, ...] = ()
    records: str = ''
    steps: int = 10
    repeats: int = 5
    json_file: str = ''

    def __post_init__(self) -> None:
        for name in ('steps', 'repeats'):
            if getattr(self, name) < 1:
                raise LonghaulError(
                    f'--{name}={getattr(self, name)}: a whole number >= 1 is needed'
                )
        if bool(self.gin_file) != bool(self.records):
            raise LonghaulError(
                f'--gin_file={self.gin_file}, --records={self.records}: give both, or neither to '
                'measure on data sets that come with the product'
            )


def run(options: FeedOptions) -> list[dict[str, Any]]:
    """Measures and prints a Markdown table.

    Args:
      options: of the run.

    Returns:
      A row per data set: seconds a step from records and from memory, and their ratio.
    """
    print(f'{machine.machine_line()}\n{machine.versions_line(["longhaul"])}\n', flush=True)
    sets = BUILT_IN
    if options.gin_file:
        gin_file = str(Path(options.gin_file).absolute())
        sets = (DataSet(options.records, gin_file, tuple(options.gin_params)),)
    print('| data | batches | from memory, s | from records, s | ratio | blocks |')
    print('| --- | ---: | ---: | ---: | ---: | --- |', flush=True)
    rows = []
    for data in sets:
        with tempfile.TemporaryDirectory(prefix='longhaul-input-') as folder:
            records = str(Path(options.records).absolute()) if options.records else ''
            rows.append(_measure_apart(data, options, records or _records(data, folder)))
        row = rows[-1]
        spread = f'{min(row["ratios"]):.3f} to {max(row["ratios"]):.3f}'
        print(
            f'| {row["data"]} | {row["batches"]} | {row["memory_seconds"]:.4f} | '
            f'{row["records_seconds"]:.4f} | {row["ratio"]:.3f} | {spread} |',
            flush=True,
        )
        if options.json_file:
            Path(options.json_file).write_text(json.dumps(rows, indent=1) + '\n')
    return rows


def _call(arguments: list[str]) -> str:
    paths = [str(_ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(paths), 'TF_CPP_MIN_LOG_LEVEL': '3'}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=_ROOT, env=environment
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ['no reason given']
        raise LonghaulError(f'python {" ".join(arguments[:2])}: {lines[-1]}')
    return done.stdout


def _records(data: DataSet, folder: str) -> str:
    output = str(Path(folder) / 'records')
    _call(['-m', 'pipelines.main', *data.job, f'--output={output}'])
    return output


def _measure_apart(data: DataSet, options: FeedOptions, records: str) -> dict[str, Any]:
    asked = dataclasses.asdict(options) | {'data': dataclasses.asdict(data), 'records': records}
    said = _call(['-m', 'tools.benchmark.feeding', json.dumps(asked)])
    return json.loads(said.splitlines()[-1])


class Feed:
    """Batches from whichever source is set."""

    def __init__(self) -> None:
        self.source: Iterator[Any] = iter(())

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield next(self.source)


def measure(asked: dict[str, Any]) -> dict[str, Any]:
    """Measures in this process; the first block of each source, which traces, is not counted."""
    import time

    import tensorflow as tf

    from pipelines.format import records
    from trainer import bindings
    from trainer.devices import execution
    from trainer.training.loop import PhaseTrainer, distribute
    from trainer.training.optimizers import make_optimizer
    from trainer.training.splits import Splits
    from trainer.training.state import TrainedState
    from trainer.training.task import InputRequest

    data, steps = asked['data'], asked['steps']
    config = bindings.load(
        gin_files=[data['gin_file']],
        gin_params=data['gin_params'],
        records=asked['records'],
    )
    how = execution.prepare(config, tpu=False)
    strategy = tf.distribute.OneDeviceStrategy('CPU:0')
    execution.start_compiler(how)
    splits = Splits(config, records.read_info(asked['records']), strategy, how)
    split, feed = splits.split('train'), Feed()
    order = split.order(config.data.batch_size)
    with strategy.scope():
        state = TrainedState.make(config, splits.task())
        optimizer = make_optimizer(config.optimizer, phase_steps=10**6)
        optimizer.build(state.model.trainable_variables)
        trainer = PhaseTrainer(
            splits.task(),
            model=state.model,
            optimizer=optimizer,
            global_step=state.global_step,
            dataset=feed,
        )
    request = InputRequest(split, order, 0)
    from_disk = distribute(strategy, splits.task(), request)
    first = iter(from_disk)
    in_memory = [next(first) for _ in range(steps)]

    def seconds(source: Iterator[Any]) -> float:
        """A step's, over one block."""
        feed.source = source
        begun = time.perf_counter()
        trainer.train(tf.constant(steps))
        return (time.perf_counter() - begun) / steps

    times: dict[str, list[float]] = {'memory': [], 'records': []}
    for _ in range(asked['repeats'] + 1):
        # A new iterator for each block: it has read nothing ahead.
        times['memory'].append(seconds(iter(in_memory)))
        times['records'].append(seconds(iter(from_disk)))
    memory, disk = (times[name][1:] for name in ('memory', 'records'))
    ratios = [d / m for d, m in zip(disk, memory, strict=True)]
    return {
        'data': data['name'],
        'batches': f'{steps} of {config.data.batch_size}',
        'memory_seconds': statistics.median(memory),
        'records_seconds': statistics.median(disk),
        'ratio': statistics.median(ratios),
        'ratios': ratios,
    }


if __name__ == '__main__':
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    print(json.dumps(measure(json.loads(sys.argv[1]))))
