"""What the page asks the server for."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tools.serve.core import Core, Which
from tools.serve.page.reading import MOST_POINTS, read, values
from tools.serve.page.recalling import first_of, recall, state_of
from tools.serve.refusal import Refusal, invalid, too_late
from tools.serve.rest.decoding import json_object


class PageApi:
    """Endpoints below /page.

    Attributes:
      routes: of them.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.routes = [
            Route('/about', self._about, methods=['GET']),
            Route('/read', self._read, methods=['POST']),
            Route('/recall', self._recall, methods=['POST']),
        ]

    async def _about(self, request: Request) -> Response:
        """The model that the page shows."""
        with self._core.metrics.watch('rest', 'page'), self._core.held(self._which(request)) as v:
            spec = v.model.spec
            return JSONResponse(
                {
                    'model': self._which(request).model,
                    'models': self._core.names,
                    'version': v.number,
                    'kind': spec.kind if spec else None,
                    'recalls': 'recall' in v.model.signatures,
                    'streams': 'advance' in v.model.signatures,
                    'classes': len(v.model.about.get('class_names', ())),
                    'item_bytes': self._core.limits.item_bytes,
                }
            )

    async def _read(self, request: Request) -> Response:
        """Reads the item in the body; answers a line of JSON for each point of its sequence."""
        end = time.monotonic() + self._core.limits.seconds
        which, points = self._which(request), _whole(request, 'points', MOST_POINTS)
        if not 1 <= points <= MOST_POINTS:
            raise invalid(f'points: 1 to {MOST_POINTS} are allowed, got {points}')
        lines = self._lines(which, await request.body(), points, end)
        # Refusals of the first line still have a status code of their own.
        first = await anext(lines)

        async def all_lines() -> AsyncIterator[str]:
            yield first
            async for line in lines:
                yield line

        return StreamingResponse(all_lines(), media_type='application/x-ndjson')

    async def _lines(
        self, which: Which, item: bytes, points: int, end: float
    ) -> AsyncIterator[str]:
        with self._core.metrics.watch('rest', 'page'), self._core.held(which) as version:
            begun, last = False, time.monotonic()
            try:
                async for line in read(self._core, version, item, points=points):
                    now = time.monotonic()
                    # The guard would cut the answer off in the middle of the next point.
                    if begun and now + 2 * (now - last) > end:
                        raise too_late('the time is over (--request_timeout); send less at once')
                    yield json.dumps(line) + '\n'
                    begun, last = True, now
            except Refusal as refused:
                if not begun:
                    raise
                yield json.dumps({'error': refused.message}) + '\n'

    async def _recall(self, request: Request) -> Response:
        """What a state holds of the steps before it."""
        body = json_object(await request.body())
        with self._core.metrics.watch('rest', 'page'), self._core.held(self._which(request)) as v:
            if 'recall' not in v.model.signatures:
                raise invalid('recall: the model recalls nothing; export an r-LSTM')
            step, shown = _count(body, 'step'), _count(body, 'shown')
            if 'first' not in body and 'first' in v.model.signatures['recall'].inputs:
                # A decoder goes on from a true step: the page is told which one it must send.
                return JSONResponse({'begin': first_of(v, max(1, min(step, shown)))})
            state = state_of(v, body.get('state'))
            begin, found = await recall(
                self._core, v, state, step=step, shown=shown, first=body.get('first')
            )
            return JSONResponse({'begin': begin, 'values': values(found)})

    def _which(self, request: Request) -> Which:
        name = request.query_params.get('model', self._core.names[0])
        version = _whole(request, 'version', -1)
        return Which(name, None if version < 0 else version)


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise invalid(f'{name}: a whole number is needed')
    return int(text)


def _count(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1 << 30:
        raise invalid(f'{name}: 1 to {1 << 30} is allowed')
    return value
