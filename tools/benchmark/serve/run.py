"""Asks a server from many clients at once, and measures throughput, waiting and memory.

Beside it a loop over the same model in one process, without a server: one item a call. Each client
sends one item, waits for its answer and sends the next one.
"""

import contextlib
import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tools import flags, tables
from tools.benchmark import memory, results
from tools.benchmark.serve.child import Server, running
from tools.flags import flag

if TYPE_CHECKING:
    from tools.predict.model import ExportedModel

_HEAD = ('way', 'clients', 'seconds', 'items', 'items/s', 'p50 ms', 'p99 ms', 'server MB')
# Calls before anything is measured.
_WARM = 3
Ask = Callable[[], None]


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags; `json`: '' for no file."""

    export: str = flag('folder of versions, RUN/export')
    clients: int = flag('clients at once', 16)
    seconds: float = flag('seconds of each row', 20.0)
    rows: int = flag('rows under load, one after another: memory must stay flat', 1)
    json: str = flag('file for the rows', '')

    def __post_init__(self) -> None:
        flags.at_least(1, clients=self.clients, rows=self.rows)
        flags.above_zero(seconds=self.seconds)
        results.check_file('--json', self.json)


def run(options: Options) -> None:
    """Prints a row for each way: a loop, one client, many clients with and without batching.

    Raises:
      LonghaulError: for a folder that is no export.
    """
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    print(tables.table(_HEAD, right=_HEAD[1:]))
    rows = []
    for row in _rows(options):
        rows.append(row)
        cells = [f'{value:,.0f}' for value in list(row.values())[1:]]
        print(tables.line([row['way'], *cells]), flush=True)
    results.write(options.json, rows)


def _rows(options: Options) -> Iterator[dict[str, Any]]:
    from tools.predict.model import ExportedModel

    model = ExportedModel(options.export)
    item = _item(model)
    yield _measured('a loop, no server', [lambda: _loop(model, item)], options.seconds)
    for way, clients, server_flags in (
        ('server', 1, []),
        ('server, --max_batch_size=1', options.clients, ['--max_batch_size=1']),
    ):
        with running(options.export, *server_flags) as server:
            yield _asked(way, server, item, clients, options.seconds)
    with running(options.export) as server:
        for _ in range(options.rows):
            yield _asked('server', server, item, options.clients, options.seconds)


def _item(model: 'ExportedModel') -> bytes:
    from trainer.serving.warmup import example_item

    return example_item(model.spec)


def _loop(model: 'ExportedModel', item: bytes) -> None:
    model.serve([item])


def _asked(way: str, server: Server, item: bytes, clients: int, seconds: float) -> dict[str, Any]:
    """One row of a server."""
    from tools.query import grpc_client

    with contextlib.ExitStack() as stack:
        asks: list[Ask] = []
        for _ in range(clients):
            ask = stack.enter_context(
                grpc_client.connect(
                    server.grpc, 'longhaul', None, outputs=('class_name',), timeout=60
                )
            )
            asks.append(lambda ask=ask: ask([item]))  # type: ignore[misc]
        return _measured(way, asks, seconds, pid=server.pid)


def _measured(
    way: str, asks: list[Ask], seconds: float, *, pid: int | None = None
) -> dict[str, Any]:
    """Lets each of some clients ask again and again for a while; returns a row."""
    import numpy as np

    for ask in asks:
        for _ in range(_WARM):
            ask()
    took: list[float] = []
    begun = time.perf_counter()

    def client(ask: Ask) -> None:
        """Asks until the time is over."""
        while (start := time.perf_counter()) < begun + seconds:
            ask()
            took.append(time.perf_counter() - start)

    threads = [threading.Thread(target=client, args=(ask,)) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - begun
    return {
        'way': way,
        'clients': len(asks),
        'seconds': spent,
        'items': len(took),
        'per_second': len(took) / spent,
        'p50_ms': 1000 * float(np.percentile(took, 50)),
        'p99_ms': 1000 * float(np.percentile(took, 99)),
        'server_mb': memory.resident(pid) / 1e6 if pid else 0.0,
    }
