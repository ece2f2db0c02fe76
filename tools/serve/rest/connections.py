"""Connections that do not wait for ever: for a head that does not come, or for a client that does
not read.
"""

import asyncio
import contextlib
import socket

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Seconds for the head of a request.
HEAD_SECONDS = 20.0
# Seconds that sent bytes wait for a client that takes none.
_UNREAD_SECONDS = 60


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with a time limit for the head of each request."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for the first request."""
        super().connection_made(transport)
        taken = transport.get_extra_info('socket')
        with contextlib.suppress(OSError, AttributeError):
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _UNREAD_SECONDS)
        self._wait()

    def on_message_begin(self) -> None:
        """Begins to wait for the head of a further request."""
        super().on_message_begin()
        if self._timer is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """Has the head."""
        self._forget()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing any more."""
        self._forget()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
