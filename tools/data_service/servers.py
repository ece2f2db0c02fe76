"""A dispatcher and workers, in this process."""

import signal
import threading
from typing import Any

from pipelines.format.errors import LonghaulError, first_line
from tools.data_service import loopback
from tools.flags import at_least

_HERE = ('localhost', '127.0.0.1', '[::1]')


def serve(*, port: int, workers: int, dispatcher: str | None, to_others: bool = False) -> list[Any]:
    """Starts a dispatcher, if there is none yet, and workers.

    Args:
      port: of the dispatcher; 0 lets the system choose.
      workers: to start.
      dispatcher: address of a dispatcher that runs already; None starts one.
      to_others: whether other machines are served, too.

    Returns:
      The servers, the dispatcher first if one was started; they serve as long as they live.
    """
    import tensorflow as tf

    service = tf.data.experimental.service
    servers = []
    if dispatcher is None:
        servers.append(service.DispatchServer(service.DispatcherConfig(port=port)))
        dispatcher = servers[0].target
    address = dispatcher.partition('://')[2]
    servers += [
        service.WorkerServer(service.WorkerConfig(dispatcher_address=address))
        for _ in range(workers)
    ]
    if not to_others:
        loopback.close_to_others()
    return servers


def run(*, port: int, workers: int, dispatcher: str | None, to_others: bool) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code 0. See `serve`.

    Raises:
      LonghaulError: for a wrong flag, and where nothing can be served.
    """
    at_least(1, workers=workers)
    if dispatcher and not dispatcher.startswith('grpc://'):
        raise LonghaulError(f'--dispatcher={dispatcher}: grpc://host:port is needed')
    host = dispatcher.partition('://')[2].rpartition(':')[0] if dispatcher else 'localhost'
    if host not in _HERE and not to_others:
        raise LonghaulError(
            f'--dispatcher={dispatcher}: is on another machine, and workers serve this one alone; '
            'add --open, in a network that you trust alone'
        )
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        servers = serve(port=port, workers=workers, dispatcher=dispatcher, to_others=to_others)
    except LonghaulError:
        raise
    except Exception as error:  # gRPC and the network raise all sorts.
        raise LonghaulError(
            f'--port={port}: cannot serve ({first_line(error)}); name another port'
        ) from error
    address = dispatcher or servers[0].target
    whom = 'any machine that reaches it' if to_others else 'this machine alone'
    print(f'{workers} workers of {address}, for {whom}; DataConfig.service={address!r}', flush=True)
    ended.wait()
    return 0
