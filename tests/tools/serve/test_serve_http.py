"""Limits, tokens, metadata, metrics and what is no request: each has its answer."""

import base64
import json
import socket
import threading
import time

import exports
import grpc
import numpy as np
import pytest
import serving
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from typed import typed

from tools.query.__main__ import main as query

TOKEN = 'a-token-of-some-length'
PREDICT = '/v1/models/bytes:predict'


@pytest.fixture(scope='module')
def strict(exported, tmp_path_factory):
    """A server with small limits and a token."""
    path = tmp_path_factory.mktemp('token') / 'token'
    path.write_text(TOKEN)
    path.chmod(0o600)
    flags = {'max_body_bytes': 20_000, 'max_items': 3, 'max_item_bytes': 5_000}
    # Warmed up: a machine that is busy would need longer for the first request.
    flags |= {'max_requests': 4, 'request_timeout': 4, 'enable_model_warmup': True}
    flags |= {'token_file': str(path)}
    with serving.serve({'bytes': {7: exported('bytes')}}, **flags) as running:
        yield running


def bearer(token=TOKEN):
    return {'authorization': f'Bearer {token}'}


def body(*items):
    return {'inputs': {'data': [{'b64': base64.b64encode(i).decode()} for i in items]}}


@pytest.mark.parametrize(
    ('data', 'code', 'words'),
    [
        (body(b'a'), 200, None),
        (body(*[b'a'] * 4), 400, 'at most 3 items are allowed in a request (--max_items), got 4'),
        (body(b'a' * 5001), 400, 'at most 5000 bytes are allowed in an item (--max_item_bytes)'),
        (body(*[b'a' * 5000] * 4), 413, 'more than 20000 bytes (--max_body_bytes)'),
    ],
)
def test_limits_have_codes(strict, data, code, words):
    found, said = strict.http(PREDICT, data, **bearer())
    assert found == code, said
    assert words is None or words in said['error']


@pytest.mark.parametrize('path', [PREDICT, '/v1/models/bytes', '/metrics', '/page/about', '/x'])
@pytest.mark.parametrize('headers', [{}, bearer('x' * 20), {'authorization': TOKEN}])
def test_without_the_token_nothing_is_answered(strict, path, headers):
    code, said = strict.http(path, None, **headers)
    assert code == 401
    assert TOKEN not in json.dumps(said)


def test_health_and_the_page_need_no_token(strict):
    assert strict.http('/healthz') == (200, {'ready': True})
    code, data = strict.raw('/')
    assert code == 200
    assert data.startswith(b'<!doctype html>')


@pytest.mark.parametrize('rest', [False, True], ids=['grpc', 'rest'])
def test_tools_query_sends_the_token(strict, tmp_path, capsys, rest):
    (tmp_path / 'token').write_text(TOKEN)
    (tmp_path / 'token').chmod(0o600)
    (tmp_path / 'text').write_bytes(b'abc')
    place = ['--rest', f'--server={strict.rest}'] if rest else [f'--server={strict.grpc}']
    asked = [tmp_path / 'text', '--model=bytes', *place]
    assert typed(query, capsys, *asked, f'--token_file={tmp_path / "token"}').code == 0
    refusal = typed(query, capsys, *asked).refusal
    assert '--token_file' in refusal
    assert 'the token is missing or wrong' in refusal


def predictions(server):
    channel = grpc.insecure_channel(server.grpc)
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(*items):
    found = predict_pb2.PredictRequest()
    found.model_spec.name = 'bytes'
    found.inputs['data'].CopyFrom(tf.make_tensor_proto(list(items)))
    return found


def test_the_token_and_the_limits_over_grpc(strict):
    stub, metadata = predictions(strict), list(bearer().items())
    assert stub.Predict(request(b'a'), metadata=metadata).model_spec.version.value == 7
    for items, sent, code in (
        ([b'a'], None, grpc.StatusCode.UNAUTHENTICATED),
        ([b'a'], [('authorization', f'Bearer {TOKEN}x')], grpc.StatusCode.UNAUTHENTICATED),
        ([b'a'] * 4, metadata, grpc.StatusCode.INVALID_ARGUMENT),
        ([b'a' * 30_000], metadata, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            stub.Predict(request(*items), metadata=sent)
        assert refused.value.code() is code
    for sent, code in ((None, 'UNAUTHENTICATED'), (metadata, 'UNIMPLEMENTED')):
        with pytest.raises(grpc.RpcError) as refused:
            stub.Classify(classification_pb2.ClassificationRequest(), metadata=sent)
        assert refused.value.code().name == code


def opened(server, data: bytes) -> socket.socket:
    host, port = server.rest.split(':')
    found = socket.create_connection((host, int(port)), timeout=10)
    found.sendall(data)
    return found


def head(size: int) -> bytes:
    text = f'POST {PREDICT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n'
    return f'{text}content-length: {size}\r\n\r\n'.encode()


@pytest.mark.long
def test_a_half_sent_body_is_given_up(strict):
    with opened(strict, head(100) + b'{"inputs"') as client:
        said = b''
        while part := client.recv(10_000):
            said += part
    assert said.startswith(b'HTTP/1.1 408')
    assert b'the body has not come within 4 s' in said


def test_too_many_at_once_are_told_to_come_again(strict):
    slow = [opened(strict, head(100)) for _ in range(4)]
    until = time.monotonic() + 20
    while (answer := strict.http(PREDICT, body(b'a'), **bearer()))[0] == 200:
        assert time.monotonic() < until
    assert answer[0] == 429
    assert '4 requests are being answered (--max_requests)' in answer[1]['error']
    assert strict.http('/healthz')[0] == 200
    for client in slow:
        client.close()
    while strict.http(PREDICT, body(b'a'), **bearer())[0] != 200:
        assert time.monotonic() < until


def test_a_claim_of_a_large_body_is_refused_once_it_comes(strict):
    with opened(strict, head(10 << 30) + b'x' * 30_000) as client:
        assert client.recv(10_000).startswith(b'HTTP/1.1 413')


def test_clients_that_go_away_leave_nothing(strict):
    for _ in range(20):
        opened(strict, head(100) + b'{"inp').close()
    for _ in range(20):
        opened(strict, head(len(b'{}')) + b'{}').close()
    until = time.monotonic() + 10
    while strict.http(PREDICT, body(b'a'), **bearer())[0] != 200:
        assert time.monotonic() < until


def test_pages_of_other_sites_may_not_ask(server):
    code, said = server.http(PREDICT, body(b'a'), origin='https://elsewhere.example')
    assert code == 403
    assert 'elsewhere.example' in said['error']
    assert server.http(PREDICT, body(b'a'), origin=f'http://{server.rest}')[0] == 200


def test_metadata_over_rest(server):
    code, said = server.http('/v1/models/characters/versions/7/metadata')
    assert code == 200
    assert said['model_spec']['name'] == 'characters'
    assert said['model_spec']['version'] == '7'
    signature = said['metadata']['signature_def']['signature_def']['serving_default']
    assert signature['inputs']['data']['dtype'] == 'DT_STRING'
    assert signature['inputs']['data']['tensor_shape']['dim'][0]['size'] == '-1'
    assert signature['method_name'] == 'tensorflow/serving/predict'


def test_the_model_service(server):
    stub = model_service_pb2_grpc.ModelServiceStub(grpc.insecure_channel(server.grpc))
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = 'bytes'
    found = stub.GetModelStatus(asked).model_version_status
    assert [v.version for v in found] == [7, 9]
    asked.model_spec.version.value = 8
    with pytest.raises(grpc.RpcError) as refused:
        stub.GetModelStatus(asked)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert refused.value.details() == 'Could not find version 8 of model bytes'


def test_what_is_not_implemented_says_so(server):
    with pytest.raises(grpc.RpcError) as refused:
        predictions(server).Classify(classification_pb2.ClassificationRequest())
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert server.http('/v1/models/bytes:classify', {'examples': [{}]})[0] == 501


@pytest.mark.parametrize('change', ['giant', 'negative', 'no type', 'short', 'deep', 'deeper'])
def test_tensors_that_lie(server, change):
    asked = request(b'a')
    proto = asked.inputs['data']
    if change == 'giant':
        proto.tensor_shape.dim[0].size = 1 << 40
    elif change == 'negative':
        proto.tensor_shape.dim[0].size = -5
    elif change.startswith('deep'):  # TensorFlow itself crashes on these.
        sizes = [1] * {'deep': 40, 'deeper': 200}[change]
        proto.ClearField('tensor_shape')
        proto.tensor_shape.MergeFrom(tf.TensorShape(sizes).as_proto())
    elif change == 'no type':
        proto.dtype = 0
    else:
        proto.CopyFrom(tf.make_tensor_proto(np.zeros([4], np.float32)))
        proto.tensor_content = b'abc'
    with pytest.raises(grpc.RpcError) as refused:
        predictions(server).Predict(asked)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


HOSTILE = [
    b'', b'\r\n\r\n', b'\x00' * 1000, b'GET\r\n\r\n', b'GET / HTTP/9.9\r\n\r\n',
    b'GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n', b'GET /%00 HTTP/1.1\r\nhost: x\r\n\r\n',
    b'GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n', b'\x16\x03\x01\x02\x00\x01',
    b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', b'GET / HTTP/1.1\r\n' + b'a: b\r\n' * 20_000 + b'\r\n',
    b'GET / HTTP/1.1\r\nhost: ' + b'x' * 200_000 + b'\r\n\r\n',
    b'GET /' + b'a' * 200_000 + b' HTTP/1.1\r\nhost: x\r\n\r\n',
    b'POST /v1/models/bytes:predict HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
    b'POST /v1/models/bytes:predict HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n',
    b'POST /v1/models/x:predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    b'POST /v1/models/bytes:predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n'
    b'content-length: 3\r\n\r\n0\r\n\r\n',
    b'POST /v1/models/bytes:predict HTTP/1.1\r\nhost: x\r\nexpect: a-miracle\r\n'
    b'content-length: 2\r\n\r\n{}',
    b'GET /stream HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
    b'GET /stream HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n'
    b'sec-websocket-key: x\r\nsec-websocket-version: 13\r\n\r\n\xff\xff\xff\xff',
    b'DELETE /v1/models/bytes HTTP/1.1\r\nhost: x\r\n\r\n',
    b'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n',
]  # fmt: skip


def deep(levels: int) -> str:
    return '{"inputs": {"data": ' + '[' * levels + ']' * levels + '}}'


BODIES = [
    b'{"inputs": ' + b'9' * 10_000 + b'}', b'{"inputs": 1e999}', b'{"inputs": NaN}', b'null',
    b'{"signature_name": 3, "inputs": []}', b'{"signature_name": null, "inputs": []}',
    b'{"signature_name": {}, "inputs": []}', b'{"inputs": {}}', b'{"inputs": {"data": {}}}',
    b'{"inputs": {"data": {"b64": "' + b'A' * 99_999 + b'"}}}', b'{"instances": [{}]}',
    b'{"instances": [{}, {}]}', b'{"instances": [{"b64": "YQ==", "x": 1}]}',
    b'{"inputs": ["\\ud800"]}', b'{"inputs": [""], "inputs": 3}', deep(40).encode(),
    deep(900).encode(), b'{"instances": [' + b'[],' * 50_000 + b'[]]}', b'\xef\xbb\xbf{}',
    '{"inputs": ["größe"]}'.encode('utf-16'),
    b'{"signature_name": "advance", "inputs": {"h": [[1e400]], "inputs": [[1]], "lengths": [1]}}',
    b'{"signature_name": "tokens", "inputs": {"inputs": [[true]], "lengths": [1]}}',
]  # fmt: skip


def test_forty_hostile_requests_take_nothing_down(server):
    assert len(HOSTILE) + len(BODIES) >= 40
    want = server.http(PREDICT, body(b'abc'))
    for data in HOSTILE:
        with opened(server, data) as client:
            client.shutdown(socket.SHUT_WR)
            client.settimeout(5)
            try:
                answer = client.recv(1000)
            except (TimeoutError, ConnectionError):
                answer = b''
        assert not answer.startswith(b'HTTP/1.1 5'), (data[:100], answer)
    for data in BODIES:
        code, said = server.http(PREDICT, data)
        assert code == 400, (data[:100], said)
    assert server.http(PREDICT, body(b'abc')) == want


def test_metrics_count(server):
    before = counted(server)
    for data in (body(b'a'), {}):
        server.http(PREDICT, data)
    after = counted(server)
    for code in ('200', '400'):
        name = f'longhaul_requests_total{{code="{code}",method="predict",protocol="rest"}}'
        assert after[name] == before.get(name, 0) + 1
    assert after['longhaul_version_available{model="bytes",version="9"}'] == 1
    assert after['longhaul_requests_running'] == 0
    assert 'longhaul_batch_rows_count' in after


def counted(server) -> dict[str, float]:
    _, data = server.raw('/metrics')
    rows = [line.rpartition(' ') for line in data.decode().splitlines() if line[0] != '#']
    return {name: float(value) for name, _, value in rows}


def test_requests_that_have_begun_are_answered_when_the_server_stops(exported):
    found = []
    data = {'instances': [exports.items_of('bytes', 1)[0].decode()] * 64}

    def load(server):
        while not found or found[-1][0] == 200:
            try:
                found.append(server.http(PREDICT, data))
            except OSError:
                found.append((0, None))

    with serving.serve({'bytes': {7: exported('bytes')}}) as server:
        clients = [threading.Thread(target=load, args=(server,)) for _ in range(2)]
        for client in clients:
            client.start()
        while len(found) < 4:
            time.sleep(0.01)
    for client in clients:
        client.join()
    # None has been cut off: a connection is refused, or the whole answer has come.
    assert {code for code, _ in found} <= {200, 0}
