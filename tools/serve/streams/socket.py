"""A stream over a WebSocket: chunks come, answers go, the server keeps the state.

The first message is JSON: {} or {"model", "version", "label", "token", "session", "silent"}. The
server sends {"session", "version", "steps"}. Then each binary message is a chunk, answered by
{"steps", "class_name", "probabilities"}, or by {"steps"} if `silent`. The text {"op": "classify"}
asks for an answer, {"op": "end"} ends the session. A client that goes without it can come back and
send the name of its session.
"""

import asyncio
import contextlib
import json
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from tools.serve.batches import Asked
from tools.serve.core import Core, Which
from tools.serve.guard import check
from tools.serve.page.reading import advance
from tools.serve.refusal import Refusal, invalid
from tools.serve.rest.decoding import json_object
from tools.serve.streams.sessions import Session, Sessions
from tools.serve.streams.steps import steps_of

# Codes of RFC 6455 that a client sees: a message that makes no sense; a server that has too much.
_POLICY, _AGAIN = 1008, 1013
_HEAD_SECONDS = 20.0
# Steps of one call: a longer message is read in parts.
_STEPS = 1 << 16


class StreamSocket:
    """The endpoint."""

    def __init__(self, core: Core, sessions: Sessions) -> None:
        self._core, self._sessions = core, sessions

    async def serve(self, socket: WebSocket) -> None:
        """Serves one client until it goes, or until it sends what makes no sense."""
        try:
            check(socket.scope, self._core)
        except Refusal:
            await socket.close()  # Before it is accepted: 403.
            return
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            try:
                await self._serve(socket)
            except Refusal as refused:
                await _send(socket, {'error': refused.message, 'code': refused.http})
                await socket.close(_AGAIN if refused.http == 429 else _POLICY)
            except TimeoutError:
                await socket.close(_POLICY, 'nothing came in time')

    async def _serve(self, socket: WebSocket) -> None:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = json_object(await _receive(socket))
        token = head.get('token', '')
        sent = f'Bearer {token}' if token else socket.headers.get('authorization', '')
        self._core.limits.check_token(sent)
        session = await self._session(head)
        with self._sessions.using(session):
            greeting = {'session': session.name, 'version': session.version.number}
            await _send(socket, greeting | {'steps': session.steps})
            await self._chunks(socket, session, silent=bool(head.get('silent')))

    async def _session(self, head: dict[str, Any]) -> Session:
        """The session that a first message names, or a new one."""
        if 'session' in head:
            return self._sessions.resume(str(head['session']))
        with self._core.held(_which(head, self._core.names[0])) as version:
            if 'advance' not in version.model.signatures or version.model.spec is None:
                raise invalid('the model reads whole sequences alone; export an LSTM or a GRU')
            asked = Asked('start', {'batch_size': np.array(1, np.int32)})
            with self._core.gate.entered():
                state = await self._core.compute(version, asked)
            return self._sessions.begin(version, state)

    async def _chunks(self, socket: WebSocket, session: Session, *, silent: bool) -> None:
        while True:
            async with asyncio.timeout(self._core.limits.stream_seconds):
                message = await _receive(socket)
            if isinstance(message, bytes):
                await self._read(session, message)
                wanted = not silent
            elif (op := json_object(message).get('op')) == 'end':
                self._sessions.end(session)
                await socket.close()
                return
            elif op == 'classify':
                wanted = True
            else:
                raise invalid('op: classify or end is needed')
            answer = await self._answer(session) if wanted else {}
            await _send(socket, {'steps': session.steps} | answer)

    async def _read(self, session: Session, message: bytes) -> None:
        spec = session.version.model.spec
        if spec is None:
            raise invalid('the model was not exported by Longhaul')
        steps, rest = steps_of(message, session.rest, spec)
        for begin in range(0, len(steps), _STEPS):
            chunk = steps[np.newaxis, begin : begin + _STEPS]
            with self._core.gate.entered():
                state = await advance(self._core, session.version, session.state, chunk)
            # A row of a batch would keep all of the batch.
            session.state = {name: array.copy() for name, array in state.items()}
            session.steps += chunk.shape[1]
            self._core.metrics.steps.inc(chunk.shape[1])
        session.rest = rest

    async def _answer(self, session: Session) -> dict[str, Any]:
        with self._core.gate.entered():
            found = await self._core.compute(session.version, Asked('classify', session.state))
        return {
            'class_name': found['class_name'][0].decode('utf-8', 'replace'),
            'probabilities': found['probabilities'][0].tolist(),
        }


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    # Starlette's own `send_json` fails on halves of surrogate pairs, which JSON may hold.
    await socket.send_text(json.dumps(message))


async def _receive(socket: WebSocket) -> bytes | str:
    """The next message.

    Raises:
      WebSocketDisconnect: if the client has gone.
    """
    message = await socket.receive()
    if message['type'] == 'websocket.disconnect':
        raise WebSocketDisconnect(message.get('code', 1005))
    data: bytes | str | None = message.get('bytes')
    return message.get('text', '') if data is None else data


def _which(head: dict[str, Any], default: str) -> Which:
    name, number, label = head.get('model', default), head.get('version'), head.get('label', '')
    if not isinstance(name, str) or not isinstance(label, str):
        raise invalid('model, label: texts are needed')
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        raise invalid('version: a whole number is needed')
    return Which(name, number, label)
