"""What `python -m tools.serve` does: serves until SIGTERM or Ctrl-C."""

import asyncio
import logging
import os
import signal

import tensorflow as tf

from pipelines.format import library_logs
from tools.serve.options import Options
from tools.serve.server import serving
from tools.terminal import say


def run(options: Options) -> None:
    """Serves until a signal comes; requests that have begun are answered first.

    Raises:
      LonghaulError: if there is nothing to serve, or a port is taken.
    """
    library_logs.errors_alone()
    # It would call the session deprecated, see `tools.serve.models.loaded`.
    tf.get_logger().setLevel(logging.ERROR)
    asyncio.run(_serve(options))


async def _serve(options: Options) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ask_to_stop, stop)
    async with serving(options, say=say) as addresses:
        token = '' if options.token_file or not options.open else '; anybody may ask: no token'
        say(f'gRPC on {addresses.grpc}, REST and the page on http://{addresses.rest}/{token}')
        await stop.wait()
        say('stopping: requests that have begun are answered; once more stops at once')
    say('stopped')


def _ask_to_stop(stop: asyncio.Event) -> None:
    """The second signal waits for nobody."""
    if stop.is_set():
        os._exit(128 + signal.SIGTERM)
    stop.set()
