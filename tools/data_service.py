"""A tf.data service for `DataConfig.service`: a dispatcher and workers that read and parse.

  python -m tools.data_service --port=5050 --workers=2
  python -m tools.data_service --dispatcher=grpc://10.0.0.1:5050

The first form starts a dispatcher with workers in this process, the second one more worker, on
another machine for example. Workers read the records under the path that the trainer names. Nobody
checks who asks: use a closed network.
"""

import argparse
import os
import signal
import sys
import threading

from pipelines.format.errors import first_line

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


def main() -> None:
    """Serves until it is told to end."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], prog='python -m tools.data_service'
    )
    parser.add_argument('--port', type=int, default=5050, help='of the dispatcher (default 5050)')
    parser.add_argument('--workers', type=int, default=1, help='to start here (default 1)')
    parser.add_argument('--dispatcher', help='grpc://host:port of one that runs already')
    flags = parser.parse_args()
    if flags.workers < 1:
        sys.exit(f'error: --workers={flags.workers}: at least 1 is needed')
    if flags.dispatcher and not flags.dispatcher.startswith('grpc://'):
        sys.exit(f'error: --dispatcher={flags.dispatcher}: grpc://host:port is needed')
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        servers = serve(port=flags.port, workers=flags.workers, dispatcher=flags.dispatcher)
    except Exception as error:  # Of gRPC, of the network: all sorts.
        sys.exit(
            f'error: --port={flags.port}: cannot serve ({first_line(error)}); name another port'
        )
    address = flags.dispatcher or servers[0].target
    print(f'{flags.workers} workers of {address}; DataConfig.service={address!r}', flush=True)
    ended.wait()


if __name__ == '__main__':
    main()
