"""`tools.serve` in a thread of this process, and what asks it."""

import asyncio
import contextlib
import json
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.serve.options import Options
from tools.serve.server import serving

Folders = Mapping[str, Mapping[int, str | Path]]


class Running:
    """A server that runs.

    Attributes:
      grpc: HOST:PORT of gRPC.
      rest: HOST:PORT of REST.
      said: lines that it has said.
    """

    def __init__(self, grpc: str, rest: str, said: list[str]) -> None:
        self.grpc, self.rest, self.said = grpc, rest, said

    def http(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status code and JSON of a GET, or of a POST of bytes or JSON."""
        code, data = self.raw(path, body, **headers)
        return code, json.loads(data)

    def raw(self, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """As `http`, without parsing the answer."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f'http://{self.rest}{path}', data, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def fill(folder: Path, versions: Mapping[int, str | Path]) -> Path:
    """Makes a folder of versions, by links."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, export in versions.items():
        (folder / str(number)).symlink_to(Path(export).resolve())
    return folder


@contextlib.contextmanager
def serve(models: Folders, **flags: Any) -> Iterator[Running]:
    """Serves exports, {name: {version: folder}}, on two free ports while entered."""
    with tempfile.TemporaryDirectory() as top:
        folders = {name: str(fill(Path(top) / name, found)) for name, found in models.items()}
        with serve_folders(folders, **flags) as running:
            yield running


@contextlib.contextmanager
def serve_folders(folders: Mapping[str, str], **flags: Any) -> Iterator[Running]:
    """Serves folders of versions, by model."""
    given = {'port': 0, 'rest_api_port': 0, 'file_system_poll_wait_seconds': 0.05}
    # Warming up costs a second for each model.
    given |= {'enable_model_warmup': False} | flags
    options = Options(next(iter(folders.values())), **given)
    ready, found, said = threading.Event(), {}, []

    async def run() -> None:
        found['loop'], found['stop'] = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with serving(options, models=folders, say=said.append) as addresses:
                found['running'] = Running(*addresses, said)
                ready.set()
                await found['stop'].wait()
        except BaseException as error:
            found['error'] = error
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    ready.wait()
    try:
        if 'error' in found:
            raise found['error']
        yield found['running']
    finally:
        if 'error' not in found:
            found['loop'].call_soon_threadsafe(found['stop'].set)
        thread.join(60)
        assert not thread.is_alive(), 'the server does not stop'
    if 'error' in found:
        raise found['error']
