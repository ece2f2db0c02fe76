"""Small requests that once took much, left something behind, or ended in a stack trace."""

import asyncio
import base64
import io
import json
import socket

import exports
import grpc
import numpy as np
import pytest
import serving
import tensorflow as tf
import uvicorn
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tools.serve.limits import Limits
from tools.serve.page.reading import advance
from tools.serve.refusal import Refusal
from tools.serve.rest import decoding
from tools.serve.streams import socket as socket_module
from tools.serve.tensors import to_arrays

PREDICT = '/v1/models/bytes:predict'


def parsed(values: str, kind: tf.DType) -> np.ndarray:
    signature = meta_graph_pb2.SignatureDef()
    signature.inputs['x'].dtype = kind.as_datatype_enum
    body = decoding.parse(f'{{"inputs": {values}}}'.encode(), {'serving_default': signature})
    return body.inputs['x']


def test_a_text_among_numbers_makes_no_giant_array():
    """NumPy would make all items as wide as the longest text: 2.4 GB of a body of 90 kB."""
    wide = json.dumps(['x' * 30_000, *[''] * 20_000])
    with pytest.raises(Refusal, match='is not of expected type: int32'):
        parsed(wide, tf.int32)
    with pytest.raises(Refusal, match='is not of expected type: int32'):
        parsed('[1, true]', tf.int32)


@pytest.mark.parametrize(
    ('values', 'kind', 'want'),
    [
        ('[1, 2.5]', tf.float32, [1, 2.5]),
        ('7', tf.int32, 7),
        ('[[1], [2]]', tf.uint8, [[1], [2]]),
        ('[true]', tf.bool, [True]),
        ('[["a\\u0000", {"b64": "YQA="}]]', tf.string, [[b'a\0', b'a\0']]),
        ('{"b64": "YQ"}', tf.string, b'a'),
        ('[]', tf.string, []),
    ],
)
def test_values_of_each_type(values, kind, want):
    found = parsed(values, kind)
    assert found.dtype == kind.as_numpy_dtype
    assert found.tolist() == want


@pytest.mark.parametrize(
    ('values', 'kind'),
    [
        ('[[1], [2, 3]]', tf.int32),
        ('[1, [2]]', tf.float32),
        ('[["a"], []]', tf.string),
        ('[256]', tf.uint8),
        ('[1.0]', tf.int32),
        (f'[{10**400}]', tf.float32),
        ('[{"b64": "é"}]', tf.string),
        ('["a", 1]', tf.string),
    ],
)
def test_values_that_do_not_fit(values, kind):
    with pytest.raises(Refusal, match="Failed to process 'inputs' key: x"):
        parsed(values, kind)


def test_a_body_has_so_many_values_at_most(monkeypatch):
    """64 MiB of numbers would keep Python's parser, and all others waiting, for seconds."""
    with pytest.raises(Refusal, match='at most 1048576 values are allowed .* got 1048577 by'):
        decoding.json_object(b'[' + b'1,' * (1 << 20) + b'1]')
    monkeypatch.setattr(decoding, 'MOST_VALUES', 4)
    assert parsed('[1, 2, 3, 4]', tf.int32).size == 4
    for data in ('[1, 2, 3, 4, 5]', b'{"a": "1, 2, 3, 4, 5"}'):
        with pytest.raises(Refusal, match='got 5 by its commas; send it in parts'):
            decoding.json_object(data)


def test_an_empty_name_is_the_default_signature(server):
    assert server.http(PREDICT, {'signature_name': '', 'inputs': ['abc']})[0] == 200


def test_versions_with_many_digits(server):
    for digits in ('0' * 20 + '1' * 5000, '0' * 20 + '9' * 30):
        code, said = server.http(f'/v1/models/bytes/versions/{digits}')
        assert code == 400, said
    assert server.http(f'/v1/models/bytes/versions/{"0" * 30}7')[0] == 200


def test_what_is_not_of_the_api_is_not_found(server):
    code, said = server.http('/favicon.ico')
    assert (code, said) == (404, {'error': 'Not Found'})


def limits(**given) -> Limits:
    least = dict.fromkeys(('body_bytes', 'item_bytes', 'requests', 'streams', 'items'), 5)
    return Limits(seconds=1, stream_seconds=1, **least | given)


def test_items_are_counted_along_all_axes():
    with pytest.raises(Refusal, match='at most 5 items'):
        limits().check({'data': np.full([1, 6], b'a', object)})
    limits().check({'data': np.full([1, 5], b'a', object), 'inputs': np.zeros([1, 6])})


def test_a_message_of_a_few_bytes_does_not_become_millions_of_texts():
    proto = tf.make_tensor_proto([b'a'])
    proto.tensor_shape.dim.add(size=20_000_000)
    with pytest.raises(Refusal, match='bytes'):
        to_arrays({'data': proto})


def test_an_output_asked_for_twice_is_refused(server):
    """Each combination of outputs is compiled and kept: one output 2, 3, 4 ... times had no end."""
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(server.grpc))
    request = predict_pb2.PredictRequest(output_filter=['class_name'] * 2)
    request.model_spec.name = 'bytes'
    request.inputs['data'].CopyFrom(tf.make_tensor_proto([b'a']))
    with pytest.raises(grpc.RpcError) as refused:
        stub.Predict(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == 'duplicate output tensor alias: class_name'


@pytest.mark.parametrize('origin', ['http://[', 'http://[x]:1', 'http://a]b', 'null', ''])
def test_origins_that_are_no_addresses(server, origin):
    assert server.http(PREDICT, {'inputs': ['a']}, origin=origin)[0] == 403


@pytest.mark.parametrize(
    'host', ['evil.example:8501', 'localhost.evil.example', '127.0.0.1.nip.io']
)
def test_a_name_that_was_pointed_here_is_refused(server, host):
    """A page of another site whose name now stands for this machine has that site's origin."""
    for path, body in ((PREDICT, {'inputs': ['a']}), ('/v1/models/bytes', None)):
        code, said = server.http(path, body, host=host, origin=f'http://{host}')
        assert code == 403, said
        assert '--open' in said['error']


@pytest.mark.parametrize('host', ['localhost:1', '127.0.0.1', '[::1]:8501', 'a.localhost'])
def test_names_of_this_machine_are_answered(server, host):
    assert server.http('/v1/models/bytes', host=host)[0] == 200


def test_a_name_that_cannot_be_written_is_missing(server, caplog):
    with connect(f'ws://{server.rest}/stream') as stream:
        stream.send('{"model": "\\ud800"}')
        assert json.loads(stream.recv())['code'] == 404
        with pytest.raises(ConnectionClosed):
            stream.recv()
    assert not caplog.records


def flooded(server, begin: bytes, more: bytes) -> bytes:
    """What the server says to a head (or a tail) without end; '' if it closes alone."""
    host, port = server.rest.split(':')
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(begin)
        try:
            for _ in range(200):
                client.sendall(more)
        except OSError:
            return b'closed'
        client.settimeout(0.2)
        try:
            return client.recv(1000)
        except TimeoutError:
            return b'it takes all of it'
        except OSError:
            return b'closed'


@pytest.mark.parametrize(
    ('begin', 'more'),
    [
        (b'GET / HTTP/1.1\r\n', b'a: b\r\n' * 3000),
        (b'GET / HTTP/1.1\r\na: ', b'x' * 20_000),
        (b'GET /', b'x' * 20_000),
        (b'POST /v1/x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n', b'a: b\r\n' * 3000),
    ],
    ids=['headers', 'one header', 'path', 'trailers'],
)
def test_a_head_without_end_is_not_kept(server, begin, more):
    assert flooded(server, begin, more)[:12] in (b'HTTP/1.1 400', b'closed')


def test_refused_requests_are_counted(server):
    def counted() -> float:
        _, data = server.raw('/metrics')
        name = 'longhaul_requests_total{code="403",method="none",protocol="rest"} '
        rows = [line for line in data.decode().splitlines() if line.startswith(name)]
        return float(rows[0].rpartition(' ')[2]) if rows else 0

    before = counted()
    server.http(PREDICT, {}, origin='https://elsewhere.example')
    assert counted() == before + 1


@pytest.mark.long
def test_a_long_reading_ends_with_an_error_in_words(exported, caplog):
    with io.BytesIO() as file:
        np.save(file, np.zeros([1_500_000, 2], np.float16))
        item = file.getvalue()
    models = {'signal': {7: exported('signal')}}
    with serving.serve(models, request_timeout=6, enable_model_warmup=True) as server:
        code, data = server.raw('/page/read?points=200', item)
        assert code == 200
        assert 'the time is over' in json.loads(data.decode().splitlines()[-1])['error']
    assert not [r for r in caplog.records if r.exc_info]


@pytest.mark.long
def test_a_step_of_a_giant_number_is_refused(exported, caplog):
    with serving.serve({'told': {7: exported('told')}}) as server:
        state = base64.b64encode(np.zeros(exports.UNITS, np.float32).tobytes()).decode()
        body = {'step': 9, 'shown': 9, 'state': {'c': state, 'h': state}, 'first': [10**400] * 3}
        code, said = server.http('/page/recall', body)
        assert code == 400
        assert 'first: the values of one step are needed' in said['error']
    assert not caplog.records


@pytest.mark.long
def test_chunks_that_wait_behind_a_long_one_do_not_end_a_stream(exported, monkeypatch):
    """Nothing is read of a connection whose next message waits, no answer to a ping either."""

    class Impatient(uvicorn.Config):
        def __init__(self, *given, ws_ping_timeout=0.0, **named):
            wait = None if ws_ping_timeout is None else 0.2
            super().__init__(*given, ws_ping_interval=0.2, ws_ping_timeout=wait, **named)

    async def slowly(core, version, state, chunk):
        await asyncio.sleep(1.5)
        return await advance(core, version, state, chunk)

    monkeypatch.setattr(uvicorn, 'Config', Impatient)
    monkeypatch.setattr(socket_module, 'advance', slowly)
    models = {'bytes': {7: exported('bytes')}}
    with (
        serving.serve(models, enable_model_warmup=True) as server,
        connect(f'ws://{server.rest}/stream') as stream,
    ):
        for message in ('{}', b'abc', b'de', b'f'):
            stream.send(message)
        said = [json.loads(stream.recv())['steps'] for _ in range(4)]
    assert said == [0, 3, 5, 6]
