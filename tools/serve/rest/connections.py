"""Connections that do not wait for ever: for a head that does not come, or for a client that does
not read.
"""

import asyncio
import contextlib
import socket

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Seconds for the head of a request, and its bytes; those behind a body count too.
HEAD_SECONDS, HEAD_BYTES = 20.0, 1 << 16
# Seconds that sent bytes wait for a client that takes none.
_UNREAD_SECONDS = 60


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with limits for the head of each request."""

    _timer: asyncio.TimerHandle | None = None
    # Bytes since the parser has last come to something: it keeps all of them.
    _kept = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for the first request."""
        super().connection_made(transport)
        taken = transport.get_extra_info('socket')
        with contextlib.suppress(OSError, AttributeError):
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _UNREAD_SECONDS)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Parses data; refuses a head, or what follows a body, that has no end."""
        self._kept += len(data)
        super().data_received(data)
        if self._kept <= HEAD_BYTES or self.transport.is_closing():
            return
        if self._timer is None:
            self.transport.abort()
        else:
            self.send_400_response(f'A head has at most {HEAD_BYTES} bytes.')

    def on_message_begin(self) -> None:
        """Begins to wait for the head of a further request."""
        super().on_message_begin()
        if self._timer is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """Has the head."""
        self._forget()
        self._kept = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Has a part of the body."""
        self._kept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Has all of the request."""
        self._kept = 0
        super().on_message_complete()

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
