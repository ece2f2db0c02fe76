"""A small model server in threads: TensorFlow Serving's contract, for tests.

gRPC's PredictionService on tensorflow-serving-api's own stubs, and the REST API. As TensorFlow
Serving does, it runs a signature's graph in a session, and asks neither Python nor the signature
whether shapes fit. Codes and messages follow its sources (predict_util.cc, json_tensor.cc,
http_rest_api_handler.cc, http_rest_api_util.cc).
"""

import base64
import binascii
import http.server
import json
import re
import threading
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.FAILED_PRECONDITION: 412,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 503,
}
_UNLIMITED = [('grpc.max_send_message_length', -1), ('grpc.max_receive_message_length', -1)]


class RefusedError(Exception):
    """The server's answer to a request that it does not take."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def invalid(message: str) -> RefusedError:
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, message)


class ServedModel:
    """One version of a model: a graph, a session, signatures."""

    def __init__(self, folder: str | Path) -> None:
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ['serve'], str(folder))
        self.signatures = {
            name: signature
            for name, signature in loaded.signature_def.items()
            if not name.startswith('__')
        }
        self._callables: dict[tuple, Any] = {}

    def predict(
        self, name: str, inputs: dict[str, np.ndarray], wanted: tuple[str, ...] = ()
    ) -> dict[str, np.ndarray]:
        if name not in self.signatures:
            raise RefusedError(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
            )
        signature = self.signatures[name]
        needed, sent = set(signature.inputs), set(inputs)
        if needed != sent:
            extra, missing = ','.join(sorted(sent - needed)), ','.join(sorted(needed - sent))
            raise invalid(
                f'input size does not match signature: {len(sent)}!={len(needed)}. '
                f'Sent extra: {{{extra}}}. Missing but required: {{{missing}}}.'
            )
        for key in wanted:
            if key not in signature.outputs:
                expected = ','.join(sorted(signature.outputs))
                raise invalid(
                    f'output tensor alias not found in signature: {key} Outputs expected to be in '
                    f'the set {{{expected}}}.'
                )
        for key in sorted(inputs):
            dtype = tf.as_dtype(signature.inputs[key].dtype)
            found = tf.as_dtype(inputs[key].dtype)
            found = tf.string if inputs[key].dtype == object else found
            if found != dtype:
                raise invalid(f'Expects arg[{key}] to be {dtype.name} but {found.name} is provided')
        outputs = sorted(wanted or signature.outputs)
        run = self._callable(name, tuple(sorted(inputs)), tuple(outputs))
        try:
            return dict(zip(outputs, run(*(inputs[k] for k in sorted(inputs))), strict=True))
        except tf.errors.OpError as error:
            code = {c.value[0]: c for c in grpc.StatusCode}[error.error_code]
            raise RefusedError(code, error.message) from error

    def _callable(self, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Any:
        """Unlike `Session.run`, this compares no shapes, as the server in C++ does not."""
        key = name, outputs
        if key not in self._callables:
            signature, options = self.signatures[name], config_pb2.CallableOptions()
            options.feed.extend(signature.inputs[i].name for i in inputs)
            options.fetch.extend(signature.outputs[o].name for o in outputs)
            self._callables[key] = self._session._make_callable_from_options(options)
        return self._callables[key]

    def close(self) -> None:
        self._session.close()


class ModelServer:
    """Serves folders of models, {name: {version: folder}}, on two free ports while entered."""

    def __init__(self, models: dict[str, dict[int, str | Path]]) -> None:
        self._models = {
            name: {version: ServedModel(folder) for version, folder in folders.items()}
            for name, folders in models.items()
        }
        self._grpc = grpc.server(futures.ThreadPoolExecutor(2), options=_UNLIMITED)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            _Service(self), self._grpc
        )
        self.grpc = f'localhost:{self._grpc.add_insecure_port("localhost:0")}'
        self._http = http.server.ThreadingHTTPServer(('localhost', 0), _Handler)
        self._http.daemon_threads, self._http.models = True, self
        self.rest = f'localhost:{self._http.server_address[1]}'

    def __enter__(self) -> 'ModelServer':
        self._grpc.start()
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._http.server_close()
        for versions in self._models.values():
            for model in versions.values():
                model.close()

    def find(self, name: str, version: int | None) -> tuple[int, ServedModel]:
        versions = self._models.get(name, {})
        number = max(versions, default=None) if version is None else version
        if number not in versions:
            asked = f'Latest({name})' if version is None else f'Specific({name}, {version})'
            raise RefusedError(
                grpc.StatusCode.NOT_FOUND, f'Servable not found for request: {asked}'
            )
        return number, versions[number]

    def versions(self, name: str) -> list[int]:
        self.find(name, None)
        return sorted(self._models[name])


def _version(spec: Any) -> int | None:
    return spec.version.value if spec.HasField('version') else None


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, server: ModelServer) -> None:
        self._server = server

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            version, model = self._server.find(
                request.model_spec.name, _version(request.model_spec)
            )
            name = request.model_spec.signature_name or 'serving_default'
            inputs = {key: _array(proto) for key, proto in request.inputs.items()}
            found = model.predict(name, inputs, tuple(request.output_filter))
        except RefusedError as refused:
            context.abort(refused.code, refused.message)
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = (
            request.model_spec.name,
            name,
        )
        response.model_spec.version.value = version
        for key, array in found.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(array))
        return response

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            version, model = self._server.find(
                request.model_spec.name, _version(request.model_spec)
            )
            if list(request.metadata_field) != ['signature_def']:
                raise invalid(f'Metadata field {list(request.metadata_field)} is not supported')
        except RefusedError as refused:
            context.abort(refused.code, refused.message)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        content = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in model.signatures.items():
            content.signature_def[name].CopyFrom(signature)
        response.metadata['signature_def'].Pack(content)
        return response


def _array(proto: Any) -> np.ndarray:
    try:
        return tf.make_ndarray(proto)
    except (ValueError, TypeError) as error:
        raise invalid(f'Tensor proto cannot be parsed: {error}') from error


_PREDICT = re.compile(r'/v1/models/([^/:]+)(?:/versions/(\d+))?:(classify|regress|predict)')
_STATUS = re.compile(r'/v1/models/([^/:]+)(?:/versions/(\d+))?')


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        match = _PREDICT.fullmatch(self.path)
        self._answer(match and (lambda: self._predict(match, body)))

    def do_GET(self) -> None:
        match = _STATUS.fullmatch(self.path)
        self._answer(match and (lambda: self._status(match)))

    def _answer(self, work: Any) -> None:
        code = 200
        try:
            if not work:
                raise invalid(f'Malformed request: {self.command} {self.path}')
            found = work()
        except RefusedError as refused:
            code, found = CODES.get(refused.code, 500), {'error': refused.message}
        data = json.dumps(found).encode()
        self.send_response(code)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _find(self, match: re.Match) -> tuple[int, ServedModel]:
        version = None if match[2] is None else int(match[2])
        return self.server.models.find(match[1], version)

    def _predict(self, match: re.Match, body: bytes) -> dict[str, Any]:
        _, model = self._find(match)
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise invalid(f'JSON Parse error: {error}') from error
        if not isinstance(asked, dict):
            raise invalid('JSON Value is not an object')
        name = asked.get('signature_name', 'serving_default')
        if name not in model.signatures:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        kinds = {
            key: tf.as_dtype(info.dtype) for key, info in model.signatures[name].inputs.items()
        }
        if ('instances' in asked) == ('inputs' in asked):
            raise invalid("Missing 'inputs' or 'instances' key")
        if 'instances' in asked:
            return _as_rows(model.predict(name, _from_rows(asked, kinds)))
        return {'outputs': _as_columns(model.predict(name, _from_columns(asked, kinds)))}

    def _status(self, match: re.Match) -> dict[str, Any]:
        numbers = self.server.models.versions(match[1])
        if match[2] is not None:
            numbers = [self._find(match)[0]]
        return {
            'model_version_status': [
                {
                    'version': str(number),
                    'state': 'AVAILABLE',
                    'status': {'error_code': 'OK', 'error_message': ''},
                }
                for number in numbers
            ]
        }

    def log_message(self, *_: object) -> None:
        pass


def _from_columns(asked: dict, kinds: dict[str, tf.DType]) -> dict[str, np.ndarray]:
    values = asked['inputs']
    if not isinstance(values, dict) or set(values) == {'b64'}:
        if len(kinds) != 1:
            raise invalid(f'inputs is a plain value/list, but expecting {sorted(kinds)}')
        values = {next(iter(kinds)): values}
    return {key: _tensor(key, value, kinds) for key, value in values.items()}


def _from_rows(asked: dict, kinds: dict[str, tf.DType]) -> dict[str, np.ndarray]:
    rows = asked['instances']
    if not isinstance(rows, list) or not rows:
        raise invalid("'instances' key is expected to be a non-empty list")
    named = [isinstance(row, dict) and set(row) != {'b64'} for row in rows]
    if not any(named):
        if len(kinds) != 1:
            raise invalid(f'instances is a plain list, but expecting list of {sorted(kinds)}')
        return {key: _tensor(key, rows, kinds) for key in kinds}
    keys = set(rows[0]) if named[0] else set()
    if not all(named) or any(set(row) != keys for row in rows):
        raise invalid('Failed to process element of instances list: keys differ')
    return {key: _tensor(key, [row[key] for row in rows], kinds) for key in keys}


def _tensor(key: str, value: Any, kinds: dict[str, tf.DType]) -> np.ndarray:
    if key not in kinds:
        raise invalid(f'Invalid argument: key "{key}" is not in the signature')
    kind = kinds[key]
    try:
        if kind == tf.string:
            return _strings(value)
        array = np.array(value)
        numbers = 'iu' if kind.is_integer else 'fiu'
        if array.size and array.dtype.kind not in numbers:
            raise ValueError(f'JSON Value: is not of expected type: {kind.name}')
        if kind.is_integer and array.size and (array.min() < kind.min or array.max() > kind.max):
            raise ValueError(f'JSON Value: is out of range of {kind.name}')
        return array.astype(kind.as_numpy_dtype)
    except (ValueError, OverflowError, RecursionError) as error:
        raise invalid(f"Failed to process 'inputs' key: {key}: {error}") from error


def _strings(value: Any) -> np.ndarray:
    if isinstance(value, list):
        found = [_strings(v) for v in value]
        if len({f.shape for f in found}) > 1:
            raise ValueError('Encountered list at unexpected level')
        return np.stack(found) if found else np.zeros([0], object)
    if isinstance(value, str):
        data = value.encode()
    elif isinstance(value, dict) and set(value) == {'b64'} and isinstance(value['b64'], str):
        try:
            data = base64.b64decode(value['b64'], validate=True)
        except binascii.Error as error:
            raise ValueError(f'Unable to base64 decode ({error})') from error
    else:
        raise ValueError(f'JSON Value: {str(value)[:50]} is not of expected type: string')
    array = np.empty([], object)
    array[()] = data
    return array


def _as_rows(found: dict[str, np.ndarray]) -> dict[str, Any]:
    columns = _as_columns(found)
    sizes = {key: len(value) if isinstance(value, list) else -1 for key, value in columns.items()}
    if len(set(sizes.values())) != 1 or -1 in sizes.values():
        raise invalid(f'Tensors have inconsistent batch sizes: {sizes}')
    if len(columns) == 1:
        return {'predictions': next(iter(columns.values()))}
    count = next(iter(sizes.values()))
    return {'predictions': [{key: columns[key][i] for key in columns} for i in range(count)]}


def _as_columns(found: dict[str, np.ndarray]) -> Any:
    columns = {key: _json(array.tolist(), key.endswith('_bytes')) for key, array in found.items()}
    return columns if len(columns) > 1 else next(iter(columns.values()))


def _json(value: Any, binary: bool) -> Any:
    if isinstance(value, list):
        return [_json(v, binary) for v in value]
    if isinstance(value, bytes):
        return {'b64': base64.b64encode(value).decode()} if binary else value.decode()
    return value
