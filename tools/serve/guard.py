"""What every HTTP request goes through: token, origin, gate, size and time; and how errors look.

Written for ASGI itself: it sees bodies as they come, and ends a request whose body does not.
"""

import asyncio
import contextlib
import ipaddress
import json
import logging
import urllib.parse
from collections.abc import Iterator
from typing import Any

import grpc
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.format.errors import first_line
from tools.serve.core import Core
from tools.serve.limits import MOST_BODIES
from tools.serve.refusal import Refusal, busy, too_large, too_late

# Paths that need no token: a page without data, and whether the server is well.
OPEN = ('/', '/healthz')
# Answered even if the server has too much to do.
_ALWAYS = ('/healthz', '/metrics')


class Guard:
    """ASGI middleware, see the module's docstring."""

    def __init__(self, app: ASGIApp, *, core: Core) -> None:
        self._app, self._core, self._held = app, core, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope['type'] == 'websocket':
            await self._app(scope, receive, send)
        elif scope['type'] == 'http':
            await _Request(self, scope, receive, send).answer()

    async def enter(self, request: '_Request') -> None:
        """Calls what answers the request.

        Raises:
          Refusal: if it is not answered.
        """
        limits = self._core.limits
        try:
            with self._admitted(request.scope):
                async with asyncio.timeout(limits.seconds):
                    await self._app(request.scope, request.receive, request.send)
        except TimeoutError as error:
            if request.waits:
                raise Refusal(
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    f'the body has not come within {limits.seconds:g} s',
                    http=408,
                ) from error
            raise too_late(f'no answer within {limits.seconds:g} s; send less at once') from error

    @contextlib.contextmanager
    def _admitted(self, scope: Scope) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                check(scope, self._core)
                if scope['path'] not in _ALWAYS:
                    stack.enter_context(self._core.gate.entered())
            except Refusal as refused:
                self._core.metrics.finished('rest', 'none', str(refused.http), 0.0)
                raise
            yield

    def hold(self, size: int) -> None:
        """Counts bytes of bodies in memory.

        Raises:
          Refusal: if all bodies together are too many.
        """
        if self._held + size > MOST_BODIES * self._core.limits.body_bytes:
            raise busy('too many bytes are being received; try again later')
        self._held += size

    def release(self, size: int) -> None:
        """Counts bytes that are not in memory any more."""
        self._held -= size

    @property
    def body_bytes(self) -> int:
        """The largest body allowed."""
        return self._core.limits.body_bytes


class _Request:
    """One request, and what has been received and sent of it.

    Attributes:
      waits: whether it waits for more of its body.
    """

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.waits = scope, False
        self._guard, self._receive, self._send = guard, receive, send
        self._begun, self._size = False, 0

    async def answer(self) -> None:
        """Answers the request; whatever fails becomes a status code."""
        try:
            await self._guard.enter(self)
        except Refusal as refused:
            await self._refuse(refused)
        except ClientDisconnect:
            pass
        except Exception as error:
            logging.getLogger(__name__).exception('%s', self.scope['path'])
            text = f'the server failed ({first_line(error)}); see its log'
            await self._refuse(Refusal(grpc.StatusCode.INTERNAL, text))
        finally:
            self._guard.release(self._size)

    async def receive(self) -> Message:
        """Receives a part of the body, up to the limit."""
        self.waits = True
        message = await self._receive()
        self.waits = False
        size = len(message.get('body', b''))
        if self._size + size > self._guard.body_bytes:
            raise too_large(
                f'the body has more than {self._guard.body_bytes} bytes (--max_body_bytes); send '
                'it in parts'
            )
        self._guard.hold(size)
        self._size += size
        return message

    async def send(self, message: Message) -> None:
        """Sends a part of the answer."""
        self._begun = True
        await self._send(message)

    async def _refuse(self, refused: Refusal) -> None:
        if (
            self._begun
        ):  # uvicorn closes the connection: the client sees that it is no whole answer.
            return
        data = json.dumps({'error': refused.message}).encode()
        headers: list[tuple[bytes, bytes]] = [
            (b'content-type', b'application/json'),
            (b'content-length', str(len(data)).encode()),
            # What is left of a body would be taken for the next request.
            *([(b'connection', b'close')] if refused.http in (408, 413) else []),
            *([(b'www-authenticate', b'Bearer')] if refused.http == 401 else []),
            *([(b'retry-after', b'1')] if refused.http == 429 else []),
        ]
        start = {'type': 'http.response.start', 'status': refused.http, 'headers': headers}
        await self._send(start)
        await self._send({'type': 'http.response.body', 'body': data})


def check(scope: Any, core: Core) -> None:
    """Refuses requests of other sites' pages, and those without the token.

    A site can let its name stand for this machine: its page would then ask as one of ours.

    Raises:
      Refusal: 403 or 401.
    """
    headers = Headers(scope=scope)
    host, origin = headers.get('host', ''), headers.get('origin')
    if origin is not None and origin.partition('://')[2] != host:
        raise Refusal(
            grpc.StatusCode.PERMISSION_DENIED, f'a page of {origin[:200]} may not ask this server'
        )
    if core.limits.local and not _is_here(host):
        raise Refusal(
            grpc.StatusCode.PERMISSION_DENIED,
            f'{host[:200]} is no name of this machine; ask localhost, or serve with --open or '
            '--token_file',
        )
    if scope['type'] == 'http' and scope['path'] not in OPEN:
        core.limits.check_token(headers.get('authorization', ''))


def _is_here(host: str) -> bool:
    """Whether HOST[:PORT] is an address, or localhost: what no other site's name can be."""
    try:
        name = urllib.parse.urlsplit(f'//{host}').hostname or 'localhost'
        if name == 'localhost' or name.endswith('.localhost'):
            return True
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False
