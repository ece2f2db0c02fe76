"""A server: its models, both protocols, and an orderly end."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import grpc
import uvicorn

from pipelines.format.errors import LonghaulError
from tools.serve import grpc_api
from tools.serve.app import make_app
from tools.serve.batching import Batcher
from tools.serve.core import Core
from tools.serve.limits import Limits
from tools.serve.metrics import Metrics
from tools.serve.models.versions import Versions
from tools.serve.options import Options
from tools.serve.rest.connections import Connection
from tools.serve.streams.sessions import Sessions

# Bytes of one message of a stream.
MAX_MESSAGE = 4 << 20
# Connections beyond the requests that are answered, most of them idle.
_IDLE_CONNECTIONS = 1024
# Seconds that requests have to end when the server stops.
_GRACE = 30


class Addresses(NamedTuple):
    """HOST:PORT of each protocol."""

    grpc: str
    rest: str


class _Http(uvicorn.Server):
    """uvicorn's server without its handlers of signals: the command has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


@contextlib.asynccontextmanager
async def serving(
    options: Options, *, models: Mapping[str, str] | None = None, say: Callable[[str], None]
) -> AsyncIterator[Addresses]:
    """Serves while entered; on leaving, requests that have begun are answered first.

    Args:
      options: the flags.
      models: folders of versions, by name; None: the one that the flags name.
      say: takes a line for people.

    Raises:
      LonghaulError: if there is nothing to serve, or a port is taken.
    """
    limits, metrics = _limits(options), Metrics()
    threads = options.num_batch_threads or os.cpu_count() or 1
    found = models or {options.model_name: options.export_dir}
    versions = {
        name: Versions(
            name,
            folder,
            policy=options.policy(),
            seconds=options.request_timeout,
            warm=options.enable_model_warmup,
            say=say,
        )
        for name, folder in found.items()
    }
    batcher = Batcher(
        most=options.max_batch_size,
        seconds=options.batch_timeout / 1000,
        threads=threads,
        metrics=metrics,
    )
    core = Core(versions, batcher=batcher, limits=limits, metrics=metrics)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(batcher.close)
        for one in versions.values():
            stack.push_async_callback(one.close)
            await one.refresh()
        _need_versions(core, found)
        sessions = Sessions(core)
        stack.callback(sessions.end_all)
        every = options.file_system_poll_wait_seconds
        for work in (*(one.watch(every=every) for one in versions.values()), sessions.watch()):
            await stack.enter_async_context(_running(work))
        rest = await stack.enter_async_context(_http(core, sessions, options, threads=threads))
        server, port = grpc_api.start(
            core, f'{options.host}:{options.port}', loop=asyncio.get_running_loop()
        )
        stack.push_async_callback(_stop, server)
        stack.callback(setattr, core, 'stopping', True)
        yield Addresses(f'{options.host}:{port}', rest)


def _limits(options: Options) -> Limits:
    token = options.token()
    return Limits(
        body_bytes=options.max_body_bytes,
        items=options.max_items,
        item_bytes=options.max_item_bytes,
        requests=options.max_requests,
        seconds=options.request_timeout,
        streams=options.max_streams,
        stream_seconds=options.stream_timeout,
        local=not options.open and not token,
        token=token,
    )


def _need_versions(core: Core, folders: Mapping[str, str]) -> None:
    for name, numbers in core.available().items():
        if not numbers:
            raise LonghaulError(
                f'EXPORT_DIR={folders[name]}: no version that can be served; export one by '
                'python -m trainer.main --mode=export, and see the lines above'
            )


@contextlib.asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs a coroutine that has no end, while entered."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def _http(
    core: Core, sessions: Sessions, options: Options, *, threads: int
) -> AsyncIterator[str]:
    """Serves HTTP while entered; gives HOST:PORT."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix='json')
    listener = _listen(options)
    config = uvicorn.Config(
        make_app(core, sessions=sessions, pool=pool),
        http=Connection,
        lifespan='off',
        log_config=None,
        # Each request that is none would be a warning.
        log_level='error',
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=False,
        # While a long chunk is read, an answer to a ping waits behind the next one.
        ws_ping_timeout=None,
        limit_concurrency=options.max_requests + options.max_streams + _IDLE_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Http(config)
    task = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield '{}:{}'.format(*listener.getsockname())
    finally:
        server.should_exit = True
        await task
        pool.shutdown()


def _listen(options: Options) -> socket.socket:
    try:
        return socket.create_server((options.host, options.rest_api_port), backlog=1024)
    except OSError as error:
        raise LonghaulError(
            f'--rest_api_port={options.rest_api_port}: cannot be listened on ({error.strerror}); '
            'stop what uses it, or name another port'
        ) from error


async def _stop(server: grpc.Server) -> None:
    """Ends gRPC: nothing new begins, what has begun is answered."""
    await asyncio.get_running_loop().run_in_executor(None, server.stop(_GRACE).wait)
