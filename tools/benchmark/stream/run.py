"""`stream`: one sequence without end through an export's `advance`, and what memory it takes."""

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.format.errors import LonghaulError

if TYPE_CHECKING:
    from tools.predict.model import ExportedModel

_ROWS = 10


@dataclasses.dataclass(frozen=True)
class StreamOptions:
    """The flags.

    Attributes:
      export: folder of the SavedModel.
      steps: of the sequence.
      chunk_steps: of a call.
      batch: sequences side by side.
      json_file: for the rows; None: not wanted.
    """

    export: str
    steps: int = 10_000_000
    chunk_steps: int = 100_000
    batch: int = 1
    json_file: str | None = None


def run(options: StreamOptions) -> None:
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
    print('| steps | seconds | steps/s | resident MB |\n| ---: | ---: | ---: | ---: |')
    rows = []
    for row in _rows(model, options):
        rows.append(row)
        print(
            f'| {row["steps"]:,} | {row["seconds"]:,.0f} | {row["steps_per_second"]:,.0f} | '
            f'{row["resident_mb"]:,.0f} |',
            flush=True,
        )
    if options.json_file is not None:
        Path(options.json_file).write_text(json.dumps(rows, indent=1) + '\n', encoding='utf-8')


def _rows(model: 'ExportedModel', options: StreamOptions) -> Iterator[dict[str, Any]]:
    import numpy as np

    spec, random = model.spec, np.random.default_rng(0)
    shape = [options.batch, options.chunk_steps, *spec.step_shape]
    if spec.dtype == 'float16':
        chunk = random.standard_normal(shape).astype(np.float16)
    else:
        chunk = random.integers(0, spec.vocabulary_size or 256, shape).astype(spec.dtype)
    state = model.call('start', batch_size=np.int32(options.batch))
    done, begun, reported = 0, time.perf_counter(), 0
    while done < options.steps:
        steps = min(options.chunk_steps, options.steps - done)
        lengths = np.full([options.batch], steps, np.int32)
        # Another cut each time, so that chunks differ.
        inputs = np.roll(chunk, done % 9973, axis=1)[:, :steps]
        state = model.call('advance', inputs=inputs, lengths=lengths, **state)
        done += steps
        if done - reported >= options.steps / _ROWS or done == options.steps:
            seconds = time.perf_counter() - begun
            yield {
                'steps': done,
                'seconds': seconds,
                'steps_per_second': done / seconds,
                'resident_mb': _resident_bytes() / 1e6,
            }
            reported = done


def _resident_bytes() -> int:
    """Of this process now, not at its peak."""
    with open('/proc/self/statm', encoding='ascii') as file:
        pages = int(file.read().split()[1])
    import resource

    return pages * resource.getpagesize()
