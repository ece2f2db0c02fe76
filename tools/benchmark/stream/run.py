"""Sends one sequence without end through an export's `advance`, and measures time and memory."""

import dataclasses
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipelines.format.errors import LonghaulError
from tools import flags, tables
from tools.benchmark import memory, results
from tools.flags import flag

if TYPE_CHECKING:
    import numpy as np

    from pipelines.format.spec import SequenceSpec
    from tools.predict.model import ExportedModel

_ROWS = 10
_HEAD = ('steps', 'seconds', 'steps/s', 'resident MB')


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags; `json`: '' for no file."""

    export: str = flag('folder of the SavedModel')
    steps: int = flag('steps of the sequence', 10_000_000)
    chunk_steps: int = flag('steps of a call', 100_000)
    batch: int = flag('sequences side by side', 1)
    json: str = flag('file for the rows', '')

    def __post_init__(self) -> None:
        flags.at_least(1, steps=self.steps, chunk_steps=self.chunk_steps, batch=self.batch)
        results.check_file('--json', self.json)


def run(options: Options) -> None:
    """Prints a row for each tenth of the sequence: seconds and resident memory.

    Raises:
      LonghaulError: for a folder that is no export, or one that does not stream.
    """
    from tools.predict.model import ExportedModel

    model = ExportedModel(options.export)
    if not model.streams:
        raise LonghaulError(
            f'--export={options.export}: is no recurrent model, it needs all steps at once; '
            'export an LSTM or a GRU'
        )
    print(tables.table(_HEAD, right=_HEAD))
    rows = []
    for row in _rows(model, options):
        rows.append(row)
        print(tables.line(f'{value:,.0f}' for value in row.values()), flush=True)
    results.write(options.json, rows)


def _rows(model: 'ExportedModel', options: Options) -> Iterator[dict[str, float]]:
    import numpy as np

    chunk = _values(model.spec, options)
    state = model.call('start', batch_size=np.int32(options.batch))
    done, begun, reported = 0, time.perf_counter(), 0
    while done < options.steps:
        steps = min(options.chunk_steps, options.steps - done)
        lengths = np.full([options.batch], steps, np.int32)
        # Rolled by another number of steps each time, so that chunks differ.
        inputs = np.roll(chunk, done % 9973, axis=1)[:, :steps]
        state = model.call('advance', inputs=inputs, lengths=lengths, **state)
        done += steps
        if done - reported >= options.steps / _ROWS or done == options.steps:
            seconds = time.perf_counter() - begun
            yield {
                'steps': done,
                'seconds': seconds,
                'steps_per_second': done / seconds,
                'resident_mb': memory.resident() / 1e6,
            }
            reported = done


def _values(spec: 'SequenceSpec', options: Options) -> 'np.ndarray[Any, Any]':
    """Made-up steps of the stored dtype, [batch, chunk_steps, ...]."""
    import numpy as np

    random, shape = np.random.default_rng(0), [options.batch, options.chunk_steps, *spec.step_shape]
    if spec.dtype == 'float16':
        return random.standard_normal(shape).astype(np.float16)
    return random.integers(0, spec.vocabulary_size or 256, shape).astype(spec.dtype)
