"""PredictionService over gRPC, by the messages of `trainer.serving.wire`."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np

from pipelines.format.errors import LonghaulError, first_line
from tools.items.refused import RefusedRequest, no_token, one_line
from trainer.serving import wire

_METHOD = '/tensorflow.serving.PredictionService/Predict'
# A server that has too much to do is asked again, up to three times in two seconds.
_RETRIES = {
    'maxAttempts': 4,
    'initialBackoff': '0.3s',
    'maxBackoff': '2s',
    'backoffMultiplier': 2,
    'retryableStatusCodes': ['RESOURCE_EXHAUSTED'],
}
_OPTIONS = [
    # gRPC allows 4 MB by default, less than a batch of photos.
    ('grpc.max_send_message_length', -1),
    ('grpc.max_receive_message_length', -1),
    # It keeps what may be sent again; beyond this, nothing is.
    ('grpc.per_rpc_retry_buffer_size', 64 << 20),
    (
        'grpc.service_config',
        json.dumps({'methodConfig': [{'name': [{}], 'retryPolicy': _RETRIES}]}),
    ),
]
_UNREACHABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_WRONG_MODEL = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED)


@contextlib.contextmanager
def connect(
    server: str,
    model: str,
    version: int | None,
    *,
    outputs: tuple[str, ...],
    timeout: float,
    token: str = '',
) -> Iterator[Callable[[list[bytes]], dict[str, np.ndarray]]]:
    """Connects; gives a function from raw items to the outputs of serving_default.

    The function raises RefusedRequest where the server refuses a request, LonghaulError where there
    is no such server or model.
    """
    with grpc.insecure_channel(server, options=_OPTIONS) as channel:
        call = channel.unary_unary(
            _METHOD,
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=_response,
        )
        metadata = [('authorization', f'Bearer {token}')] if token else None

        def ask(items: list[bytes]) -> dict[str, np.ndarray]:
            """Sends one batch."""
            inputs: dict[str, np.ndarray | list[bytes]] = {'data': items}
            request = wire.make_request(
                model, 'serving_default', inputs, version=version, outputs=outputs
            )
            try:
                return wire.outputs_of(call(request, timeout=timeout, metadata=metadata))
            except grpc.RpcError as error:
                raise _ours(error, server, model) from error
            except ValueError as error:
                raise LonghaulError(
                    f'--server={server}: its answer cannot be read ({first_line(error)}); check '
                    'host and port'
                ) from error

        yield ask


def _response(data: bytes) -> Any:
    """Parses a PredictResponse."""
    response = wire.PredictResponse()
    response.ParseFromString(data)
    return response


def _ours(error: grpc.RpcError, server: str, model: str) -> Exception:
    code, details = error.code(), one_line(error.details() or '')
    if code in _UNREACHABLE:
        return LonghaulError(
            f'--server={server}: no answer over gRPC ({code.name}: {details}); check host and '
            'port (TensorFlow Serving: 8500 for gRPC, 8501 with --rest), or raise --timeout'
        )
    if code in _WRONG_MODEL:
        return LonghaulError(
            f'--model={model}: {server} does not serve it ({details}); name one that it serves'
        )
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return no_token(server, details)
    if code is grpc.StatusCode.INTERNAL:
        return LonghaulError(
            f'--server={server}: its answer is none of TensorFlow Serving ({details}); check host '
            'and port'
        )
    return RefusedRequest(f'the server refuses it: {code.name}: {details}')
