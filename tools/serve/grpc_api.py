"""TensorFlow Serving's gRPC services: PredictionService and ModelService.

gRPC's threads parse and write messages; the event loop answers. What is not implemented
(classify, regress, multi-inference, reloading) answers UNIMPLEMENTED.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from pipelines.format.errors import LonghaulError
from tools.serve import messages
from tools.serve.batches import Asked
from tools.serve.bodies import Bodies
from tools.serve.core import Core, Which
from tools.serve.refusal import Refusal, invalid
from tools.serve.tensors import fill, to_arrays

_T = TypeVar('_T')


def start(core: Core, address: str, *, loop: asyncio.AbstractEventLoop) -> tuple[grpc.Server, int]:
    """Starts the services.

    Args:
      core: that answers.
      address: HOST:PORT; port 0 for a free one.
      loop: of the core.

    Returns:
      The running server, and its port.

    Raises:
      LonghaulError: if the address cannot be taken.
    """
    limits = core.limits
    server = grpc.server(
        ThreadPoolExecutor(limits.requests, thread_name_prefix='grpc'),
        interceptors=[
            _Token(core),
            Bodies(largest=limits.body_bytes, seconds=limits.seconds, metrics=core.metrics),
        ],
        maximum_concurrent_rpcs=limits.requests,
        options=[
            ('grpc.max_receive_message_length', limits.body_bytes),
            ('grpc.max_send_message_length', -1),
            # Without this, it takes megabytes of messages that nobody has asked for yet.
            ('grpc.http2.bdp_probe', 0),
            ('grpc.http2.lookahead_bytes', 1 << 16),
            # Without this, a second server on the same port would take half of the requests.
            ('grpc.so_reuseport', 0),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Predictions(core, loop), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Models(core, loop), server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise LonghaulError(
            f'--port: {address} cannot be listened on; stop what uses it, or name another port'
        ) from error
    server.start()
    return server, port


class _Token(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls without the token, of every method, before their messages are read."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """Aborts a call without the token, before its message is read."""
        sent = dict(details.invocation_metadata).get('authorization', '')
        try:
            self._core.limits.check_token(sent if isinstance(sent, str) else '')
        except Refusal as refused:
            self._core.metrics.finished('grpc', 'none', refused.code.name, 0.0)
            code, message = refused.code, refused.message
            # The message of a stream is read if it is asked for.
            return grpc.stream_unary_rpc_method_handler(
                lambda _, context: context.abort(code, message)
            )
        return continuation(details)


class _Bridge:
    """Answers in the event loop what gRPC's threads are asked."""

    def __init__(self, core: Core, loop: asyncio.AbstractEventLoop) -> None:
        self._core, self._loop = core, loop

    def _answer(
        self, request: Any, context: grpc.ServicerContext, method: str, work: Callable[..., _T]
    ) -> _T:
        """Calls `work(request, context)` in this thread; refusals become gRPC's codes."""
        try:
            with self._core.metrics.watch('grpc', method):
                return work(request, context)
        except Refusal as refused:
            return context.abort(refused.code, refused.message)
        except concurrent.futures.CancelledError:
            return context.abort(grpc.StatusCode.CANCELLED, 'the server stops, or the client left')

    def _run(self, work: Coroutine[Any, Any, _T], context: grpc.ServicerContext) -> _T:
        """Runs a coroutine in the event loop; it ends if the client goes."""
        future = asyncio.run_coroutine_threadsafe(self._inside(work), self._loop)
        context.add_callback(future.cancel)
        return future.result()

    async def _inside(self, work: Coroutine[Any, Any, _T]) -> _T:
        try:
            with self._core.gate.entered():
                return await work
        finally:
            work.close()


class _Predictions(_Bridge, prediction_service_pb2_grpc.PredictionServiceServicer):
    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer(request, context, 'predict', self._predict)

    def _predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        which, asked = _which(request.model_spec), _asked(request)
        work = self._core.predict(which, asked, seconds=context.time_remaining())
        number, found = self._run(work, context)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = which.model
        response.model_spec.signature_name = asked.signature
        response.model_spec.version.value = number
        fill(response.outputs, found)
        return response

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer(request, context, 'metadata', self._metadata)

    def _metadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        fields = list(request.metadata_field)
        if fields != ['signature_def']:
            raise invalid(f'Metadata field {fields} is not supported')
        return self._run(_call(messages.metadata, self._core, request.model_spec), context)


class _Models(_Bridge, model_service_pb2_grpc.ModelServiceServicer):
    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer(request, context, 'status', self._status)

    def _status(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._run(_call(messages.status, self._core, request.model_spec), context)


async def _call(work: Callable[[Core, Which], _T], core: Core, spec: Any) -> _T:
    return work(core, _which(spec))


def _which(spec: Any) -> Which:
    number = spec.version.value if spec.HasField('version') else None
    return Which(spec.name, number, spec.version_label)


def _asked(request: Any) -> Asked:
    signature = request.model_spec.signature_name or 'serving_default'
    return Asked(signature, to_arrays(request.inputs), tuple(request.output_filter))
