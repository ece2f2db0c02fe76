"""A server as a process of its own, as a user starts it."""

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import NamedTuple

from pipelines.format.errors import LonghaulError
from tools.terminal import last_line

_READY = re.compile(r'gRPC on (\S+), REST and the page on http://(\S+)/')


class Server(NamedTuple):
    """A server that runs: HOST:PORT of both protocols, and its process id."""

    grpc: str
    rest: str
    pid: int


@contextlib.contextmanager
def running(export: str, *flags: str) -> Iterator[Server]:
    """Serves a folder of versions on free ports, as 'longhaul', while entered.

    Args:
      export: the folder.
      flags: of tools.serve.

    Raises:
      LonghaulError: if the server does not start.
    """
    command = [sys.executable, '-m', 'tools.serve', export, '--port=0', '--rest_api_port=0', *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said: list[str] = []
    ready = threading.Event()
    reader = threading.Thread(target=_read, args=(process, said, ready), daemon=True)
    reader.start()
    try:
        ready.wait()
        found = _READY.search('\n'.join(said))
        if found is None:
            raise LonghaulError(
                f'--export={export}: the server does not start ({last_line(chr(10).join(said))}); '
                'see python -m tools.serve'
            )
        yield Server(found[1], found[2], process.pid)
    finally:
        process.terminate()
        process.wait()
        reader.join()


def _read(process: 'subprocess.Popen[str]', said: list[str], ready: threading.Event) -> None:
    """Keeps what the server says, so that it never waits for somebody to read it."""
    for line in process.stderr or ():
        said.append(line)
        if _READY.search(line):
            ready.set()
    ready.set()
