"""TensorFlow Serving's REST API as an endpoint."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tensorflow_serving.apis import get_model_metadata_pb2

from tools.serve import messages
from tools.serve.batches import Asked
from tools.serve.core import Core, Which
from tools.serve.refusal import Refusal
from tools.serve.rest import decoding, encoding, paths

_T = TypeVar('_T')


class RestApi:
    """Answers what lies under /v1/models."""

    def __init__(self, core: Core, pool: ThreadPoolExecutor) -> None:
        """Makes the endpoint.

        Args:
          core: that answers.
          pool: whose threads parse and write JSON, which may take long.
        """
        self._core, self._pool = core, pool

    async def answer(self, request: Request) -> Response:
        """Answers one request.

        Raises:
          Refusal: if it is not answered.
        """
        raw = request.scope.get('raw_path') or request.url.path.encode()
        with self._core.metrics.watch('rest', 'none') as watch:
            called = paths.parse(request.method, raw.decode('ascii', 'replace'))
            watch.method = called.method
            if called.method == 'predict':
                return await self._predict(called.which, await request.body())
            if called.method == 'status':
                return JSONResponse(encoding.message(messages.status(self._core, called.which)))
            if called.method == 'metadata':
                return JSONResponse(_metadata(self._core, called.which))
            raise Refusal(
                grpc.StatusCode.UNIMPLEMENTED,
                f'{called.method}: the models have no such signature; use :predict',
            )

    async def _predict(self, which: Which, body: bytes) -> Response:
        with self._core.held(which) as version:
            asked = await self._aside(decoding.parse, body, version.model.signatures)
            found = await self._core.compute(version, Asked(asked.signature, asked.inputs))
        data = await self._aside(lambda: encoding.answer(found, in_rows=asked.in_rows))
        return Response(data, media_type='application/json')

    async def _aside(self, work: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


def _metadata(core: Core, which: Which) -> dict[str, Any]:
    response = messages.metadata(core, which)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata['signature_def'].Unpack(signatures)
    return {
        'model_spec': encoding.message(response.model_spec),
        'metadata': {'signature_def': encoding.message(signatures)},
    }
