"""A tf.data service for `DataConfig.service`: a dispatcher and workers that read and parse.

  python -m tools.data_service --port=5050 --workers=2
  python -m tools.data_service --dispatcher=grpc://10.0.0.1:5050

The first form starts a dispatcher with workers in this process, the second one more worker, on
another machine for example. Workers read the records under the path that the trainer names. Nobody
checks who asks: use a closed network.
"""

import os
import signal
import sys
import threading

from pipelines.format.errors import LonghaulError, first_line
from tools.flags import Parser, at_least, code_of

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')


def serve(*, port: int, workers: int, dispatcher: str | None) -> list:
    """Starts servers.

    Args:
      port: of the dispatcher; 0 lets the system choose.
      workers: to start.
      dispatcher: address of one that runs already; None starts one.

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
    return servers


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is told to end; returns the exit code, 1 for a refusal."""
    parser = Parser('python -m tools.data_service', doc=__doc__)
    parser.add_argument('--port', type=int, default=5050, help='of the dispatcher (default 5050)')
    parser.add_argument('--workers', type=int, default=1, help='to start here (default 1)')
    parser.add_argument('--dispatcher', help='grpc://host:port of one that runs already')
    flags = parser.parse_args(arguments)
    return code_of(lambda: _serve(flags.port, flags.workers, flags.dispatcher), refused=1)


def _serve(port: int, workers: int, dispatcher: str | None) -> int:
    at_least(1, workers=workers)
    if dispatcher and not dispatcher.startswith('grpc://'):
        raise LonghaulError(f'--dispatcher={dispatcher}: grpc://host:port is needed')
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        servers = serve(port=port, workers=workers, dispatcher=dispatcher)
    except Exception as error:  # Of gRPC, of the network: all sorts.
        raise LonghaulError(
            f'--port={port}: cannot serve ({first_line(error)}); name another port'
        ) from error
    address = dispatcher or servers[0].target
    print(f'{workers} workers of {address}; DataConfig.service={address!r}', flush=True)
    ended.wait()
    return 0


if __name__ == '__main__':
    sys.exit(main())
