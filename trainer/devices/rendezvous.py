"""Workers wait for each other here, before TensorFlow does.

TensorFlow 2.20 waits for missing workers without end, inside a call that neither Ctrl-C nor
SIGTERM interrupts. Here every worker listens on its own port until it has reached all others, for
a limited time. A wrong port or name is reported in one line.
"""

import contextlib
import socket
import sys
import time
from collections.abc import Iterator

from pipelines.format.errors import LonghaulError
from trainer.devices.cluster import Workers

# The machines of a cluster may start minutes apart.
PATIENCE_SECONDS = 600.0
_SILENCE_SECONDS, _PAUSE_SECONDS = 5.0, 0.2


def split_address(address: str) -> tuple[str, int]:
    """'host:port' -> host and port."""
    host, _, port = address.rpartition(':')
    return host, int(port)


def reachable(address: str, *, timeout: float = 2.0) -> bool:
    """Whether a process listens at 'host:port'."""
    with contextlib.suppress(OSError):
        socket.create_connection(split_address(address), timeout=timeout).close()
        return True
    return False


def meet(workers: Workers, *, patience: float = PATIENCE_SECONDS) -> None:
    """Returns as soon as all other workers listen; this one listens meanwhile.

    A worker that has reached all others goes on to TensorFlow, whose server then listens on the
    same port. So later workers reach it as well.

    Args:
      workers: all of them.
      patience: seconds to wait for the last of them.

    Raises:
      LonghaulError: if this worker's port is taken, or another worker is not reached in time.
    """
    others = {i: host for i, host in enumerate(workers.hosts) if i != workers.index}
    started, said = time.monotonic(), False
    with _listening(workers.hosts[workers.index]):
        while others := {i: host for i, host in others.items() if not reachable(host)}:
            waited = time.monotonic() - started
            missing = ', '.join(f'worker {i} ({host})' for i, host in others.items())
            if waited > patience:
                raise LonghaulError(
                    f'{missing}: not reached within {patience:.0f} s; start every worker with the '
                    'same --worker_hosts (or TF_CONFIG) and its own --task_index, and let their '
                    'ports through the firewall'
                )
            if waited > _SILENCE_SECONDS and not said:
                print(f'waiting for {missing}', file=sys.stderr, flush=True)
                said = True
            time.sleep(_PAUSE_SECONDS)


@contextlib.contextmanager
def _listening(address: str) -> Iterator[None]:
    """Accepts connections on this worker's port; no data is exchanged."""
    port = split_address(address)[1]
    try:
        server = socket.create_server(('', port), backlog=128)
    except OSError as error:
        raise LonghaulError(
            f'{address}: this worker cannot listen on port {port} ({error.strerror}); end the '
            'process that uses the port, or name another port on all workers'
        ) from error
    with server:
        yield
